import type { Member, Role } from '@messenger/protocol/accounts';

/** A row of `memberColumns`. */
export interface MemberRow {
  readonly id: string;
  readonly username: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly reads_private: boolean;
  readonly presence_private: boolean;
  readonly account_created_at: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** Of `accounts` as `a` and `users` as `u`. */
export const memberColumns = `u.id, a.username, a.role, a.disabled_at is not null as disabled, a.reads_private, a.presence_private,
         a.created_at as account_created_at, u.first_name, u.last_name, u.created_at, u.updated_at`;

export function toMember(row: MemberRow): Member {
  const {
    id,
    username,
    role,
    disabled,
    reads_private,
    presence_private,
    first_name: firstName,
    last_name: lastName,
  } = row;
  return {
    account: {
      user_id: id,
      username,
      role,
      disabled,
      reads_private,
      presence_private,
      created_at: row.account_created_at,
    },
    user: { id, first_name: firstName, last_name: lastName, created_at: row.created_at, updated_at: row.updated_at },
  };
}
