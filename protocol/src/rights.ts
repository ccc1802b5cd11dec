/** What the members of a conversation may do. The server enforces this table, clients show by it, and the docs print it. */

/** From the most to the fewest rights. */
export const memberRoles = ['owner', 'admin', 'member', 'reader'] as const;
export type MemberRole = (typeof memberRoles)[number];

export const conversationKinds = ['direct', 'group', 'channel'] as const;
export type ConversationKind = (typeof conversationKinds)[number];

/** The roles that exist in each kind. */
export const rolesOf: Readonly<Record<ConversationKind, readonly MemberRole[]>> = {
  direct: ['member'],
  group: ['owner', 'admin', 'member'],
  channel: ['owner', 'admin', 'member', 'reader'],
};

/** The role of who joins or is added. */
export const roleOfNewcomers: Readonly<Record<ConversationKind, MemberRole>> = {
  direct: 'member',
  group: 'member',
  channel: 'reader',
};

type Least = MemberRole | 'nobody';

const everywhere = (least: Least) => ({ direct: least, group: least, channel: least });
const except = (direct: Least, others: Least) => ({ direct, group: others, channel: others });

/**
 * The least role that an action needs, by kind of conversation. Members act on people below their own role alone; an owner also acts on
 * owners. Everybody may leave (except direct conversations), and change own messages and settings.
 */
export const rights = {
  /** Messages, members, reads and searches. */
  read: { direct: 'member', group: 'member', channel: 'reader' },
  react: { direct: 'member', group: 'member', channel: 'reader' },
  send: everywhere('member'),
  /** To mention everybody with `@all`; in groups of at most `mentionAllMax` people every member may. */
  mention_all: except('member', 'admin'),
  pin: except('member', 'admin'),
  /** Messages of others; also reading the revisions of others. */
  delete_messages: except('nobody', 'admin'),
  edit_conversation: except('nobody', 'admin'),
  delete_conversation: except('nobody', 'owner'),
  add_members: { direct: 'nobody', group: 'member', channel: 'admin' },
  remove_members: except('nobody', 'admin'),
  ban_members: except('nobody', 'admin'),
  /** Up to the own role. */
  change_roles: except('nobody', 'admin'),
  invite: { direct: 'nobody', group: 'admin', channel: 'admin' },
  leave: { direct: 'nobody', group: 'member', channel: 'reader' },
} as const satisfies Record<string, Readonly<Record<ConversationKind, Least>>>;
export type Action = keyof typeof rights;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The table has no other keys.
export const actions = Object.keys(rights) as readonly Action[];

export function rankOf(role: MemberRole): number {
  return memberRoles.indexOf(role);
}

/** Whether a role includes an action. */
export function mayDo(action: Action, kind: ConversationKind, role: MemberRole): boolean {
  const least: Least = rights[action][kind];
  return least !== 'nobody' && rankOf(role) <= rankOf(least);
}

/** Whether a member may act on another one: remove, ban, or change the role to at most the own. */
export function isAbove(role: MemberRole, other: MemberRole): boolean {
  return role === 'owner' || rankOf(role) < rankOf(other);
}
