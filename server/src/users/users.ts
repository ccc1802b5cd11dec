import { hash } from 'node:crypto';

import { pageLimitDefault } from '@messenger/protocol/limits';
import type { User, UserNames, UserNamesPatch, UserPageQuery } from '@messenger/protocol/users';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { NotWritten } from './conditional-writes.ts';
import type { KeyedUser } from './keyed-inserts.ts';
import { decodeCursor, encodeCursor, type PageCursor } from '../lib/page-cursor.ts';
import type { UserReader } from './user-reader.ts';
import type { UserWriter } from './user-writer.ts';

export interface UserPage {
  /** Shared by concurrent calls for the same page. */
  readonly users: User[];
  /** Cursor of the next page; undefined at the end. */
  readonly next: string | undefined;
}

/**
 * The use cases of users. Reads are at least as fresh as the caller's token and are cancelled when the caller disconnects. Writes that were
 * sent are finished. Rejects with `AppError`: `user_not_found`, `invalid_request`, `precondition_failed`, and those of the
 * databases.
 */
export class Users {
  readonly #reader: UserReader;
  readonly #writer: UserWriter;

  constructor(reader: UserReader, writer: UserWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  create(names: UserNames, caller: Caller): Promise<User> {
    return this.#writer.insert(names, caller);
  }

  /**
   * Creates a user for the first call with this key, and answers each repeat with that user as it was created. Rejects with
   * `idempotency_key_reused` when the names differ.
   */
  async createOnce(key: string, names: UserNames, caller: Caller): Promise<KeyedUser> {
    const fingerprint = hash('sha256', JSON.stringify([names.first_name, names.last_name]), 'base64url');
    const outcome = await this.#writer.insertOnce({ key, names, fingerprint }, caller);
    if (outcome === 'reused') throw new AppError('idempotency_key_reused');
    return outcome;
  }

  async get(id: string, caller: Caller): Promise<User> {
    return orNotFound(await this.#reader.find(id.toLowerCase(), caller));
  }

  async list(query: UserPageQuery, caller: Caller): Promise<UserPage> {
    const { limit, offset, after } = pageOf(query);
    const users =
      after === undefined
        ? await this.#reader.page({ limit, offset: offset ?? 0 }, caller)
        : await this.#reader.pageAfter({ limit, after }, caller);
    return { users, next: nextOf(users, limit) };
  }

  /**
   * Changes one name or both; absent names stay unchanged. With `versions`, rejects with `precondition_failed` unless `updated_at` is
   * one of them.
   */
  async rename(id: string, names: UserNamesPatch, caller: Caller, versions?: readonly string[]): Promise<User> {
    const call = { id: id.toLowerCase(), names };
    if (versions === undefined) return orNotFound(await this.#writer.update(call, caller));
    const outcome = await this.#writer.updateIf({ ...call, versions }, caller);
    if (typeof outcome === 'string') throw refusalOf(outcome);
    return outcome;
  }

  /** `versions` as for `rename`. */
  async delete(id: string, caller: Caller, versions?: readonly string[]): Promise<void> {
    const call = id.toLowerCase();
    const outcome =
      versions === undefined
        ? (await this.#writer.delete(call, caller)) || 'absent'
        : await this.#writer.deleteIf({ id: call, versions }, caller);
    if (outcome === 'absent' || outcome === 'changed') throw refusalOf(outcome);
  }
}

interface WantedPage {
  readonly limit: number;
  readonly offset: number | undefined;
  readonly after: PageCursor | undefined;
}

/** Throws `invalid_request` for a cursor of another list, and for one with an offset. */
function pageOf({ limit = pageLimitDefault, offset, after }: UserPageQuery): WantedPage {
  if (after === undefined) return { limit, offset, after };
  if (offset !== undefined) throw invalidQuery('offset', 'cannot be combined with after');
  const cursor = decodeCursor(after);
  if (cursor === undefined) throw invalidQuery('after', 'is not a cursor of this list');
  return { limit, offset, after: cursor };
}

/** The cursor behind a full page. */
function nextOf(users: readonly User[], limit: number): string | undefined {
  const last = users.length === limit ? users.at(-1) : undefined;
  return last && encodeCursor({ createdAt: last.created_at, id: last.id });
}

function orNotFound(user: User | undefined): User {
  if (user === undefined) throw new AppError('user_not_found');
  return user;
}

function refusalOf(outcome: NotWritten): AppError {
  return new AppError(outcome === 'absent' ? 'user_not_found' : 'precondition_failed');
}
