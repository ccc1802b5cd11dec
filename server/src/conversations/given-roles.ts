/** The SQL that checks roles which members give to others. */
import { conversationKinds, memberRoles, rankOf, rolesOf, type MemberRole } from '@messenger/protocol/rights';

/** SQL: the pairs of roles for which something holds. */
export function rolePairs(holds: (one: MemberRole, other: MemberRole) => boolean): string {
  return memberRoles
    .flatMap((one) => memberRoles.filter((other) => holds(one, other)).map((other) => `('${one}', '${other}')`))
    .join(', ');
}

/** SQL: members give at most their own role. */
export function isBeyond(given: string): string {
  return `(role, ${given}) not in (${rolePairs((one, other) => rankOf(one) <= rankOf(other))})`;
}

/** SQL: whether the kind of the conversation lacks a role. */
export function hasNoSuchRole(given: string): string {
  const pairs = conversationKinds.flatMap((kind) => rolesOf[kind].map((role) => `('${kind}', '${role}')`));
  return `(kind, ${given}) not in (${pairs.join(', ')})`;
}
