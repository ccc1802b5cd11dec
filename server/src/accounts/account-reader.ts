import type { Member } from '@messenger/protocol/accounts';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import { memberColumns, toMember, type MemberRow } from './member-rows.ts';
import { findPeople, type SearchCall, type SearchPage } from './people-search.ts';

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

/** Where the first page begins. */
const newest = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * `offset 0` keeps one lookup per row: the planner cannot know the limit, and would join the accounts with all users, also with those who
 * have no account.
 */
const pageOfMembers = statement<MemberRow, [limit: number, after: string]>(
  'accounts.page',
  `select ${memberColumns} from accounts as a, lateral (select * from users where id = a.user_id offset 0) as u
    where a.user_id < $2 order by a.user_id desc limit $1`,
);

const page = unbatched<PageCall, Member[]>({
  name: 'accounts.page',
  keyOf: ({ limit, after }) => `${limit},${after}`,
  one: async (db, { limit, after = newest }) => (await db.query(pageOfMembers, [limit, after])).map(toMember),
});

const search = unbatched<SearchCall, SearchPage>({
  name: 'accounts.search',
  keyOf: (call) => JSON.stringify(call),
  one: findPeople,
});

/** Reads accounts from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class AccountReader {
  readonly find: Read<string, Member | undefined>;
  readonly credentials: Read<Whose, Credentials | undefined>;
  /** Newest first. */
  readonly page: Read<PageCall, Member[]>;
  /** People by the beginning of the full name, the last name or the username. */
  readonly search: Read<SearchCall, SearchPage>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
    this.credentials = reads.prepare(credentials);
    this.page = reads.prepare(page);
    this.search = reads.prepare(search);
  }
}
