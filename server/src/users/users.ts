import { pageLimitDefault } from '@messenger/protocol/limits';
import type { User, UserNames, UserNamesPatch, UserPageQuery } from '@messenger/protocol/users';

import { AppError } from '../lib/app-error.ts';
import { decodeCursor, encodeCursor } from './page-cursor.ts';
import type { UserReader } from './user-reader.ts';
import type { UserWriter } from './user-writer.ts';

export interface UserPage {
  readonly users: User[];
  /** The cursor of the page that follows; undefined when this one was not full. */
  readonly next: string | undefined;
}

export interface UserStores {
  readonly writer: UserWriter;
  /** On the standby; may lag behind. */
  readonly reader: UserReader;
  /** On the primary; never lags. */
  readonly primaryReader: UserReader;
}

/**
 * What can be done with users. The signal of each call is that of its request: reads are cancelled by it, writes that
 * have begun are finished. Rejects with `AppError`: `user_not_found`, `invalid_request`, and those of the pools.
 */
export class Users {
  readonly #stores: UserStores;

  constructor(stores: UserStores) {
    this.#stores = stores;
  }

  async create(names: UserNames, signal: AbortSignal): Promise<User> {
    return await this.#stores.writer.insert(names, signal);
  }

  /** The standby may not know a new user yet, so the primary is asked before a client is told that there is none. */
  async get(id: string, signal: AbortSignal): Promise<User> {
    const { reader, primaryReader } = this.#stores;
    const user = (await reader.find(id, signal)) ?? (await primaryReader.find(id, signal));
    return orNotFound(user);
  }

  async list({ limit = pageLimitDefault, offset, after }: UserPageQuery, signal: AbortSignal): Promise<UserPage> {
    const users = await this.#page(limit, offset, after, signal);
    const last = users.length === limit ? users.at(-1) : undefined;
    return { users, next: last && encodeCursor({ createdAt: last.created_at, id: last.id }) };
  }

  /** Also for a part of the names; those that are absent stay. */
  async rename(id: string, names: UserNamesPatch, signal: AbortSignal): Promise<User> {
    return orNotFound(await this.#stores.writer.update(id, names, signal));
  }

  async delete(id: string, signal: AbortSignal): Promise<void> {
    if (!(await this.#stores.writer.delete(id, signal))) throw new AppError('user_not_found');
  }

  async #page(
    limit: number,
    offset: number | undefined,
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<User[]> {
    if (after === undefined) return await this.#stores.reader.page(limit, offset ?? 0, signal);
    if (offset !== undefined) throw invalidQuery('offset', 'cannot be combined with after');
    const cursor = decodeCursor(after);
    if (cursor === undefined) throw invalidQuery('after', 'is not a cursor of this list');
    return await this.#stores.reader.pageAfter(limit, cursor, signal);
  }
}

function orNotFound(user: User | undefined): User {
  if (user === undefined) throw new AppError('user_not_found');
  return user;
}

function invalidQuery(field: string, message: string): AppError {
  return new AppError('invalid_request', { errors: [{ in: 'query', field, message }] });
}
