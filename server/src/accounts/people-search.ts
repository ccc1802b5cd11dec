import type { User } from '@messenger/protocol/users';

import { folded } from '../db/folded.ts';
import { statement, type Queryable } from '../db/statement.ts';
import type { TextCursor } from '../lib/text-cursor.ts';

export interface SearchCall {
  readonly query: string;
  readonly limit: number;
  /** With a text that is folded: a name or a username that begins with the query. */
  readonly after: TextCursor | undefined;
}

export interface SearchPage {
  /** By the least of their texts that begin with the query. */
  readonly users: User[];
  /** Undefined at the end. A page can have fewer users than the limit, or none, and still have a next one. */
  readonly next: TextCursor | undefined;
}

interface FoundRow extends User {
  readonly text: string;
  /** Whether the person stands here: everyone is found once per text, and shown at the least one. */
  readonly is_least: boolean;
}

const columns = ['search_name', 'search_last_name', 'username'] as const;
const prefix = folded('$2::text');

/** The texts of one column that begin with the query, from the place on. U+10FFFF sorts behind every text with the prefix. */
const ofColumn = (column: string): string =>
  `(select ${column} as text, user_id from accounts
     where (${column}, user_id) > (greatest($3::text collate "C", ${prefix}), $4::uuid) and ${column} < ${prefix} || chr(1114111)
     order by 1, 2 limit $1)`;

const leastText = `least(${columns.map((column) => `case when starts_with(${column}, ${prefix}) then ${column} end`).join(', ')})`;

/** Reads at most `limit` entries of each index, and as many users, however many people match. */
const searchPeople = statement<FoundRow, [limit: number, query: string, text: string, id: string]>(
  'accounts.search',
  `with page as materialized (
     ${columns.map(ofColumn).join(' union ')} order by 1, 2 limit $1
   )
   select id, first_name, last_name, users.created_at, updated_at, text, text = ${leastText} as is_least
     from page join accounts using (user_id) join users on id = user_id order by text, id`,
);

/** Precedes every text, and every account. */
const start: TextCursor = { text: '', id: '00000000-0000-0000-0000-000000000000' };

/** People by the beginning of the full name, the last name or the username. */
export async function findPeople(db: Queryable, { query, limit, after = start }: SearchCall): Promise<SearchPage> {
  const rows = await db.query(searchPeople, [limit, query, after.text, after.id]);
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return { users: rows.filter((row) => row.is_least), next: last && { text: last.text, id: last.id } };
}
