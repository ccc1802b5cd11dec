import type { User } from '@messenger/protocol/users';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import type { PageCursor } from '../lib/page-cursor.ts';

const findById = statement<User, [id: string]>(
  'users.find',
  'select id, first_name, last_name, created_at, updated_at from users where id = $1',
);

const findByIds = statement<User, [ids: readonly string[]]>(
  'users.find_many',
  'select id, first_name, last_name, created_at, updated_at from users where id = any($1::uuid[])',
);

const find: BatchableRead<string, User | undefined> = {
  name: 'users.find',
  keyOf: (id) => id,
  isDoubtful: (user) => user === undefined,
  one: async (db, id) => (await db.query(findById, [id]))[0],
  many: async (db, ids) => {
    const users = new Map((await db.query(findByIds, [ids])).map((user) => [user.id, user]));
    return ids.map((id) => users.get(id));
  },
};

/** With 1,000 users per page, a batch holds up to 128,000 rows in memory. */
const maxPages = 128;

interface PageCall {
  readonly limit: number;
  readonly offset: number;
}

const firstPage = statement<User, [limit: number, offset: number]>(
  'users.page',
  `select id, first_name, last_name, created_at, updated_at
     from users order by created_at desc, id desc limit $1 offset $2`,
);

/** A row of one of several pages; `page` starts at 1. */
type PagedUser = User & { readonly page: number };

const pages = statement<PagedUser, [limits: readonly number[], offsets: readonly number[]]>(
  'users.page_many',
  `select wanted.page::int, found.*
     from unnest($1::int[], $2::bigint[]) with ordinality as wanted (rows, skipped, page)
    cross join lateral (
      select id, first_name, last_name, created_at, updated_at
        from users order by created_at desc, id desc limit wanted.rows offset wanted.skipped
    ) as found
    order by wanted.page, found.created_at desc, found.id desc`,
);

const page: BatchableRead<PageCall, User[]> = {
  name: 'users.page',
  maxSize: maxPages,
  keyOf: ({ limit, offset }) => `${limit},${offset}`,
  one: async (db, { limit, offset }) => db.query(firstPage, [limit, offset]),
  many: async (db, calls) => {
    const rows = await db.query(pages, [calls.map(({ limit }) => limit), calls.map(({ offset }) => offset)]);
    return split(rows, calls.length);
  },
};

interface PageAfterCall {
  readonly limit: number;
  readonly after: PageCursor;
}

const pageAfter = statement<User, [limit: number, createdAt: string, id: string]>(
  'users.page_after',
  `select id, first_name, last_name, created_at, updated_at
     from users where (created_at, id) < ($2, $3) order by created_at desc, id desc limit $1`,
);

const pagesAfter = statement<
  PagedUser,
  [limits: readonly number[], createdAts: readonly string[], ids: readonly string[]]
>(
  'users.page_after_many',
  `select wanted.page::int, found.*
     from unnest($1::int[], $2::timestamptz[], $3::uuid[]) with ordinality as wanted (rows, created_at, id, page)
    cross join lateral (
      select id, first_name, last_name, created_at, updated_at
        from users where (users.created_at, users.id) < (wanted.created_at, wanted.id)
       order by created_at desc, id desc limit wanted.rows
    ) as found
    order by wanted.page, found.created_at desc, found.id desc`,
);

const after: BatchableRead<PageAfterCall, User[]> = {
  name: 'users.page_after',
  maxSize: maxPages,
  keyOf: ({ limit, after: { createdAt, id } }) => `${limit},${createdAt},${id}`,
  one: async (db, { limit, after: { createdAt, id } }) => db.query(pageAfter, [limit, createdAt, id]),
  many: async (db, calls) => {
    const rows = await db.query(pagesAfter, [
      calls.map(({ limit }) => limit),
      calls.map((call) => call.after.createdAt),
      calls.map((call) => call.after.id),
    ]);
    return split(rows, calls.length);
  },
};

function split(rows: readonly PagedUser[], count: number): User[][] {
  const found = Array.from({ length: count }, (): User[] => []);
  for (const { page: number, ...user } of rows) found[number - 1]?.push(user);
  return found;
}

/**
 * Reads users from a server that is fresh enough for the caller. Lists are ordered newest first. Concurrent calls for the same list get the
 * same array: do not modify it. Rejects as `Reads` does.
 */
export class UserReader {
  readonly find: Read<string, User | undefined>;
  readonly page: Read<PageCall, User[]>;
  readonly pageAfter: Read<PageAfterCall, User[]>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
    this.page = reads.prepare(page);
    this.pageAfter = reads.prepare(after);
  }
}
