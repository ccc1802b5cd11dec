/** Who talks with whom. Sizes and shares are a guess at a company's messenger: most messages are between two people, most deliveries are in large groups. */

interface Tier {
  readonly members: number;
  /** Conversations of this kind that each person is in. */
  readonly perPerson: number;
  /** The share of a person's attention that each of them gets. */
  readonly weight: number;
}

const tiers: readonly Tier[] = [
  { members: 2, perPerson: 4, weight: 6 },
  { members: 8, perPerson: 2, weight: 4 },
  { members: 40, perPerson: 1, weight: 2 },
  { members: 200, perPerson: 1, weight: 1 },
];

/** People who may share a conversation: a generator process has whole communities, so it sees all members of its conversations. */
export const communitySize = 400;

/** The members of all conversations, as places in the list of people; the first one creates it. No pair has two direct conversations. */
export function layOut(people: number, random: () => number): number[][] {
  const all: number[][] = [];
  for (let first = 0; first < people; first += communitySize) {
    const community = Array.from({ length: Math.min(communitySize, people - first) }, (_, index) => first + index);
    if (community.length > 1) all.push(...layOutCommunity(community, random));
  }
  return all;
}

function layOutCommunity(community: readonly number[], random: () => number): number[][] {
  const pairs = new Set<string>();
  return tiers.flatMap(({ members, perPerson }) =>
    Array.from({ length: perPerson }, () => divide(shuffle(community, random), members))
      .flat()
      .filter((group) => {
        const pair = group.toSorted((a, b) => a - b).join(' ');
        if (pairs.has(pair)) return false;
        pairs.add(pair);
        return true;
      }),
  );
}

/** Groups of `size`; a rest of one joins the group before. */
function divide(people: readonly number[], size: number): number[][] {
  const groups: number[][] = [];
  for (let at = 0; at < people.length; at += size) groups.push(people.slice(at, at + size));
  const last = groups.at(-1);
  if (last?.length === 1 && groups.length > 1) groups.at(-2)?.push(...(groups.pop() ?? []));
  return groups;
}

function shuffle(people: readonly number[], random: () => number): number[] {
  return people
    .map((person) => ({ person, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ person }) => person);
}

/** The attention that a conversation of this size gets. */
export function weightOf(members: number): number {
  return (tiers.find((tier) => members <= tier.members) ?? { weight: 1 }).weight;
}
