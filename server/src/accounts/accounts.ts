import { pageLimitDefault } from '@messenger/protocol/limits';
import type {
  AccountDeletion,
  AccountPageQuery,
  AccountPatch,
  Member,
  MemberPatch,
  PasswordChange,
} from '@messenger/protocol/accounts';
import type { User, UserNamesPatch } from '@messenger/protocol/users';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { decodeTextCursor, encodeTextCursor, type TextCursor } from '../lib/text-cursor.ts';
import type { UserPage } from '../users/users.ts';
import type { AccountReader, Credentials } from './account-reader.ts';
import type { AccountDeletion as Deletion, AccountRename, AccountWriter } from './account-writer.ts';
import type { FailedSignIns } from './failed-sign-ins.ts';
import type { Hasher } from './password-hasher.ts';
import { refuseBadPassword } from './password-refusal.ts';
import { createToken, hashToken } from './session-token.ts';
import type { Sessions } from './sessions.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

export interface AccountServices {
  readonly reader: AccountReader;
  readonly writer: AccountWriter;
  readonly sessions: Sessions;
  readonly hasher: Hasher;
  readonly throttle: SignInThrottle;
  readonly failures: FailedSignIns;
  /** Begins to remove the traces of deleted accounts. */
  readonly erase: () => void;
}

/** The account that makes a change, undefined for an anonymous client, and its address. */
export interface By {
  readonly account: SignedIn | undefined;
  readonly address: string;
}

/** A change by a signed-in account. */
interface ByAccount extends By {
  readonly account: SignedIn;
  /** The key of limits. */
  readonly network: string;
}

export interface MemberPage {
  readonly members: Member[];
  /** The `after` of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/**
 * The use cases of accounts. Rejects with `AppError`: `account_not_found`, `username_taken`, `wrong_password`, `too_many_attempts`,
 * `last_administrator`, `unauthenticated`, `forbidden`, and those of the databases.
 */
export class Accounts {
  readonly #services: AccountServices;

  constructor(services: AccountServices) {
    this.#services = services;
  }

  async get(userId: string, caller: Caller): Promise<Member> {
    const member = await this.#services.reader.find(userId, caller);
    if (member === undefined) throw new AppError('account_not_found');
    return member;
  }

  async change(patch: MemberPatch, by: ByAccount, caller: Caller): Promise<Member> {
    const {
      username,
      first_name: firstName,
      last_name: lastName,
      reads_private: readsPrivate,
      presence_private: presencePrivate,
      password,
    } = patch;
    // A stolen session must not change the name that its owner signs in with.
    if (username !== undefined) await this.#checkPassword(by, password ?? refuseAbsent('password'), caller);
    const { userId: id } = by.account;
    return await this.#rename(
      { id, username, firstName, lastName, readsPrivate, presencePrivate, ...actorOf(by) },
      caller,
    );
  }

  /** Ends all other sessions of the account. Resolves with the new token of this one: who has a copy of the old one is signed out, too. */
  async changePassword({ current, new: wanted }: PasswordChange, by: ByAccount, caller: Caller): Promise<string> {
    const { writer, sessions, hasher } = this.#services;
    const { userId: id, sessionId } = by.account;
    const { member, passwordHash: oldHash } = await this.#checkPassword(by, current, caller);
    refuseBadPassword(wanted, member.account.username, 'new');
    const newHash = await hasher.hash(wanted, caller.lifetime);
    const token = createToken();
    const kept = { id: sessionId, tokenHash: hashToken(token) };
    const isChanged = await writer.changePassword({ id, oldHash, newHash, kept, ...actorOf(by) }, caller);
    if (!isChanged) throw new AppError('wrong_password'); // It was changed meanwhile.
    await sessions.revoke(id);
    return token;
  }

  /** Deletes the account, its sessions and its user. Its other traces are removed afterwards, in steps. */
  async deleteOwn({ password, messages = 'keep' }: AccountDeletion, by: ByAccount, caller: Caller): Promise<void> {
    await this.#checkPassword(by, password, caller);
    await this.#delete({ id: by.account.userId, messages, ...actorOf(by) }, caller);
  }

  async list({ limit = pageLimitDefault, after }: AccountPageQuery, caller: Caller): Promise<MemberPage> {
    const members = await this.#services.reader.page({ limit, after }, caller);
    return { members, next: members.length === limit ? members.at(-1)?.user.id : undefined };
  }

  /** By an administrator. A disabled account has no sessions; a changed role applies to the next request. */
  async changeRights(userId: string, patch: AccountPatch, by: ByAccount, caller: Caller): Promise<Member> {
    const { writer, sessions } = this.#services;
    const id = userId.toLowerCase();
    const outcome = await writer.changeRights(
      { id, role: patch.role, disabled: patch.disabled, ...actorOf(by) },
      caller,
    );
    if (outcome === 'absent') throw new AppError('account_not_found');
    if (outcome === 'last_administrator') throw new AppError('last_administrator');
    await sessions.revoke(id);
    return outcome;
  }

  /** People by the beginning of a name or the username. Rejects with `invalid_request` for a cursor of another list. */
  async search(query: string, limit: number, after: string | undefined, caller: Caller): Promise<UserPage> {
    const call = { query, limit, after: after === undefined ? undefined : readPlace(after) };
    const { users, next } = await this.#services.reader.search(call, caller);
    return { users, next: next && encodeTextCursor(next) };
  }

  /** Changes names of a user who has an account, for itself and administrators. Rejects with `user_not_found` for other users. */
  async renameUser(
    userId: string,
    { first_name: firstName, last_name: lastName }: UserNamesPatch,
    by: By,
    caller: Caller,
    versions?: readonly string[],
  ): Promise<User> {
    const id = await this.#admit(userId, by, caller);
    if (by.account?.userId !== id && by.account?.role !== 'admin') throw new AppError('forbidden');
    return (await this.#rename({ id, firstName, lastName, versions, ...actorOf(by) }, caller)).user;
  }

  /** The same for its deletion, for administrators: the account itself is deleted with its password. */
  async deleteUser(userId: string, by: By, caller: Caller, versions?: readonly string[]): Promise<void> {
    const id = await this.#admit(userId, by, caller);
    if (by.account?.role !== 'admin')
      throw new AppError('forbidden', { detail: 'An account is deleted by DELETE /api/v1/me, or by an administrator' });
    await this.#delete({ id, messages: 'keep', versions, ...actorOf(by) }, caller);
  }

  /** Resolves with the id of a user who has an account, if the client has a session. */
  async #admit(userId: string, { account }: By, caller: Caller): Promise<string> {
    const id = userId.toLowerCase();
    if ((await this.#services.reader.find(id, caller)) === undefined) throw new AppError('user_not_found');
    if (account === undefined) throw new AppError('unauthenticated');
    return id;
  }

  async #rename(change: AccountRename, caller: Caller): Promise<Member> {
    const outcome = await this.#services.writer.rename(change, caller);
    if (outcome === 'absent') throw new AppError('account_not_found');
    if (outcome === 'changed') throw new AppError('precondition_failed');
    if (outcome === 'taken') throw new AppError('username_taken');
    return outcome;
  }

  async #delete(deletion: Deletion, caller: Caller): Promise<void> {
    const { writer, sessions, erase } = this.#services;
    const outcome = await writer.delete(deletion, caller);
    if (outcome === 'absent') throw new AppError('account_not_found');
    if (outcome === 'changed') throw new AppError('precondition_failed');
    if (outcome === 'last_administrator') throw new AppError('last_administrator');
    await sessions.revoke(deletion.id);
    erase();
  }

  /** Counts like a sign-in, so that a stolen session cannot be used to guess the password. */
  async #checkPassword(
    { account, address, network }: ByAccount,
    password: string,
    caller: Caller,
  ): Promise<Credentials> {
    const { reader, hasher, throttle, failures } = this.#services;
    hasher.admit();
    const credentials = await reader.credentials({ id: account.userId }, caller);
    if (credentials === undefined) throw new AppError('account_not_found');
    const attempt = await throttle.begin(credentials.member.account.username, network);
    const { ok } = await hasher.verify(password, credentials.passwordHash, caller.lifetime);
    if (!ok) {
      await failures.record(account.userId, address);
      throw new AppError('wrong_password');
    }
    await throttle.succeed(attempt);
    return credentials;
  }
}

function actorOf({ account, address }: By): { readonly actorId: string | undefined; readonly address: string } {
  return { actorId: account?.userId, address };
}

function refuseAbsent(field: string): never {
  throw new AppError('invalid_request', { errors: [{ in: 'body', field, message: 'is required for a new username' }] });
}

function readPlace(after: string): TextCursor {
  const place = decodeTextCursor(after);
  if (place === undefined) throw invalidQuery('after', 'is not a cursor of this list');
  return place;
}
