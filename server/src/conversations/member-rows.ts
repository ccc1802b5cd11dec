import type { MemberWithUser } from '@messenger/protocol/members';

/** A row of `memberSql`. */
export interface MemberRow extends Omit<MemberWithUser, 'user'> {
  readonly found_id: string | null;
  readonly first_name: string;
  readonly last_name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** SQL: the columns of `members` as `m`, and of their users as `u`. */
export const memberSql = `m.user_id, m.role, m.joined_at, m.left_at, m.banned_at is not null as banned, m.changed_seq::float8 as seq,
       u.id as found_id, u.first_name, u.last_name, u.created_at, u.updated_at`;

export function toMember(row: MemberRow): MemberWithUser {
  const { user_id, role, joined_at, left_at, banned, seq, found_id: id } = row;
  const { first_name, last_name, created_at, updated_at } = row;
  const user = id === null ? null : { id, first_name, last_name, created_at, updated_at };
  return { user_id, role, joined_at, left_at, banned, seq, user };
}
