import type { Member } from '@messenger/protocol/accounts';
import type { User } from '@messenger/protocol/users';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { folded, memberColumns, toMember, type MemberRow } from './member-rows.ts';
import { unbatched } from './unbatched.ts';

const fromMembers = 'from accounts as a join users as u on u.id = a.user_id';

const findMembers = statement<MemberRow, [ids: readonly string[]]>(
  'accounts.find',
  `select ${memberColumns} ${fromMembers} where a.user_id = any ($1::uuid[])`,
);

const find: BatchableRead<string, Member | undefined> = {
  name: 'accounts.find',
  keyOf: (id) => id,
  isDoubtful: (member) => member === undefined,
  one: async (db, id) => (await db.query(findMembers, [[id]])).map(toMember)[0],
  many: async (db, ids) => {
    const found = new Map((await db.query(findMembers, [ids])).map((row) => [row.id, toMember(row)]));
    return ids.map((id) => found.get(id));
  },
};

/** The data that a sign-in checks. */
export interface Credentials {
  readonly member: Member;
  readonly passwordHash: string;
}

interface CredentialsRow extends MemberRow {
  readonly password_hash: string;
}

const findCredentials = statement<CredentialsRow, [username: string | undefined, id: string | undefined]>(
  'accounts.find_credentials',
  `select ${memberColumns}, password_hash ${fromMembers} where a.username = $1 or a.user_id = $2`,
);

type Whose = { readonly username: string } | { readonly id: string };

/** From the primary: a password that was changed a moment ago must be the one that counts. */
const credentials = unbatched<Whose, Credentials | undefined>({
  name: 'accounts.find_credentials',
  isPrimaryFirst: true,
  isDoubtful: (found) => found === undefined,
  keyOf: (whose) => ('id' in whose ? whose.id : `name ${whose.username}`),
  one: async (db, whose) => {
    const values = 'id' in whose ? ([undefined, whose.id] as const) : ([whose.username, undefined] as const);
    const [row] = await db.query(findCredentials, [...values]);
    return row && { member: toMember(row), passwordHash: row.password_hash };
  },
});

export interface PageCall {
  readonly limit: number;
  /** The last id of the previous page. */
  readonly after: string | undefined;
}

const pageOfMembers = statement<MemberRow, [limit: number, after: string | undefined]>(
  'accounts.page',
  `select ${memberColumns} ${fromMembers} where $2::uuid is null or a.user_id < $2 order by a.user_id desc limit $1`,
);

const page = unbatched<PageCall, Member[]>({
  name: 'accounts.page',
  keyOf: ({ limit, after }) => `${limit},${after}`,
  one: async (db, { limit, after }) => (await db.query(pageOfMembers, [limit, after])).map(toMember),
});

export interface SearchCall extends PageCall {
  readonly query: string;
}

/** U+10FFFF sorts behind every text with this prefix. */
const beginsWith = (column: string): string =>
  `select user_id from accounts, wanted where ${column} >= prefix and ${column} < prefix || chr(1114111)`;

/** Reads all matches, but only the users of the page: the planner cannot know how few match, and would join all users. */
const searchPeople = statement<User, [limit: number, after: string | undefined, query: string]>(
  'accounts.search',
  `with wanted as materialized (
     select ${folded('$3::text')} as prefix
   ), found as (
     ${beginsWith('search_name')} union ${beginsWith('search_last_name')} union ${beginsWith('username')}
   ), page as materialized (
     select user_id from found where $2::uuid is null or user_id < $2 order by user_id desc limit $1
   )
   select id, first_name, last_name, created_at, updated_at from users join page on id = user_id order by id desc`,
);

const search = unbatched<SearchCall, User[]>({
  name: 'accounts.search',
  keyOf: ({ limit, after, query }) => `${limit},${after},${query}`,
  one: async (db, { limit, after, query }) => db.query(searchPeople, [limit, after, query]),
});

/** Reads accounts from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class AccountReader {
  readonly find: Read<string, Member | undefined>;
  readonly credentials: Read<Whose, Credentials | undefined>;
  /** Newest first. */
  readonly page: Read<PageCall, Member[]>;
  /** People by the beginning of the full name, the last name or the username; newest first. */
  readonly search: Read<SearchCall, User[]>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
    this.credentials = reads.prepare(credentials);
    this.page = reads.prepare(page);
    this.search = reads.prepare(search);
  }
}
