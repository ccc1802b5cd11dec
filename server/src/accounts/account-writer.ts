import type { Member, Role } from '@messenger/protocol/accounts';

import { violatedConstraint } from '../db/errors.ts';
import type { SeparateWrites } from '../db/separate-writes.ts';
import type { Queryable } from '../db/statement.ts';
import type { Write } from '../db/writes.ts';
import {
  changePassword,
  changeRights,
  deleteAccount,
  insertAccount,
  lockAccount,
  lockWithAdmins,
  renameAccount,
  storeHash,
} from './account-statements.ts';
import type { Actor } from './audit-events.ts';
import { toMember } from './member-rows.ts';

export interface NewAccount extends Actor {
  readonly id: string;
  readonly username: string;
  readonly passwordHash: string;
  readonly firstName: string;
  readonly lastName: string;
  /** The first account is an administrator's in any case. */
  readonly role: Role;
}

export interface RightsChange extends Actor {
  readonly id: string;
  readonly role: Role | undefined;
  readonly disabled: boolean | undefined;
}

export interface AccountRename extends Actor {
  readonly id: string;
  readonly username?: string | undefined;
  readonly firstName?: string | undefined;
  readonly lastName?: string | undefined;
  readonly readsPrivate?: boolean | undefined;
  readonly presencePrivate?: boolean | undefined;
  /** The accepted values of `updated_at` of the user; undefined for any. */
  readonly versions?: readonly string[] | undefined;
}

export interface PasswordChange extends Actor {
  readonly id: string;
  /** The hash that the current password was checked against. */
  readonly oldHash: string;
  readonly newHash: string;
  /** The session that stays valid, with the hash of its new token; undefined for none. */
  readonly kept: { readonly id: string; readonly tokenHash: string } | undefined;
}

export interface AccountDeletion extends Actor {
  readonly id: string;
  readonly versions?: readonly string[] | undefined;
  /** What happens to the texts of its messages. */
  readonly messages: 'keep' | 'erase';
}

/** Inserts an account. Undefined when its username is taken. */
export async function insert(db: Queryable, call: NewAccount): Promise<Member | undefined> {
  const { id, username, passwordHash, firstName, lastName, role, actorId, address } = call;
  const [row] = await db.query(insertAccount, [
    id,
    username,
    passwordHash,
    firstName,
    lastName,
    role,
    actorId,
    address,
  ]);
  return row && toMember(row);
}

type Refused = 'absent' | 'last_administrator';

async function changeRightsOf(
  db: Queryable,
  { id, role, disabled, actorId, address }: RightsChange,
): Promise<Member | Refused> {
  const [, [row]] = await Promise.all([
    db.query(lockWithAdmins, [id]),
    db.query(changeRights, [id, role, disabled, actorId, address]),
  ]);
  if (row === undefined) return 'absent';
  return row.is_last_admin ? 'last_administrator' : toMember(row);
}

async function rename(db: Queryable, call: AccountRename): Promise<Member | 'absent' | 'changed'> {
  const { id, firstName, lastName, username, readsPrivate, presencePrivate, versions, actorId, address } = call;
  const [, [row]] = await Promise.all([
    db.query(lockAccount, [id]),
    db.query(renameAccount, [
      id,
      firstName,
      lastName,
      username,
      versions?.join(' '),
      actorId,
      address,
      readsPrivate,
      presencePrivate,
    ]),
  ]);
  if (row === undefined) return 'absent';
  return row.is_changed ? toMember(row) : 'changed';
}

async function replacePassword(db: Queryable, call: PasswordChange): Promise<boolean> {
  const { id, oldHash, newHash, kept, actorId, address } = call;
  const [, rows] = await Promise.all([
    db.query(lockAccount, [id]),
    db.query(changePassword, [id, oldHash, newHash, kept?.id, kept?.tokenHash, actorId, address]),
  ]);
  return rows.length > 0;
}

async function remove(db: Queryable, call: AccountDeletion): Promise<'deleted' | 'changed' | Refused> {
  const { id, versions, messages, actorId, address } = call;
  const [, [row]] = await Promise.all([
    db.query(lockWithAdmins, [id]),
    db.query(deleteAccount, [id, versions?.join(' '), actorId, address, messages]),
  ]);
  if (row === undefined) return 'absent';
  if (!row.is_current) return 'changed';
  return row.is_last_admin ? 'last_administrator' : 'deleted';
}

/** Writes accounts. Each change locks the account first, so that what it ends includes what was created until then. Rejects as `Pool` does. */
export class AccountWriter {
  readonly changeRights: Write<RightsChange, Member | Refused>;
  readonly rename: Write<AccountRename, Member | 'absent' | 'changed' | 'taken'>;
  /** Resolves with whether the old hash was still stored. Ends all sessions but one. */
  readonly changePassword: Write<PasswordChange, boolean>;
  /** Stores a new hash of the same password. */
  readonly storeHash: Write<{ readonly id: string; readonly oldHash: string; readonly newHash: string }, void>;
  readonly delete: Write<AccountDeletion, 'deleted' | 'changed' | Refused>;

  constructor(writes: SeparateWrites) {
    this.changeRights = writes.prepare(changeRightsOf);
    const renameFree = writes.prepare(rename);
    this.rename = async (call, caller) => {
      try {
        return await renameFree(call, caller);
      } catch (error) {
        if (violatedConstraint(error) === 'accounts_username_unique') return 'taken';
        throw error;
      }
    };
    this.changePassword = writes.prepare(replacePassword);
    this.storeHash = writes.prepare(async (db, { id, oldHash, newHash }) => {
      await db.query(storeHash, [id, oldHash, newHash]);
    });
    this.delete = writes.prepare(remove);
  }
}
