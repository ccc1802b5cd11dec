import type { User } from '@messenger/protocol/users';

import { statement, type Queryable } from '../db/statement.ts';
import type { PageCursor } from './page-cursor.ts';

const findById = statement<User, [id: string]>(
  'users.find',
  'select id, first_name, last_name, created_at, updated_at from users where id = $1',
);

const firstPage = statement<User, [limit: number, offset: number]>(
  'users.page',
  `select id, first_name, last_name, created_at, updated_at
     from users order by created_at desc, id desc limit $1 offset $2`,
);

const pageAfter = statement<User, [limit: number, createdAt: string, id: string]>(
  'users.page_after',
  `select id, first_name, last_name, created_at, updated_at
     from users where (created_at, id) < ($2, $3) order by created_at desc, id desc limit $1`,
);

/** Reads users from either server. Lists are ordered newest first. Rejects as the database it was given does. */
export class UserReader {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async find(id: string, signal: AbortSignal): Promise<User | undefined> {
    const [user] = await this.#db.query(findById, [id], signal);
    return user;
  }

  async page(limit: number, offset: number, signal: AbortSignal): Promise<User[]> {
    return await this.#db.query(firstPage, [limit, offset], signal);
  }

  async pageAfter(limit: number, after: PageCursor, signal: AbortSignal): Promise<User[]> {
    return await this.#db.query(pageAfter, [limit, after.createdAt, after.id], signal);
  }
}
