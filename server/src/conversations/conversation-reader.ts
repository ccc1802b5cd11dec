import type { Conversation } from '@messenger/protocol/conversations';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import type { PageCursor } from '../lib/page-cursor.ts';
import {
  conversationSql,
  headColumns,
  memberColumns,
  toConversation,
  type ConversationRow,
} from './conversation-rows.ts';
import { hourOf } from './conversations-sql.ts';

/** A conversation, and the member who sees it. */
export interface ViewCall {
  readonly id: string;
  readonly me: string;
}

const findMany = statement<
  ConversationRow & { readonly place: number },
  [ids: readonly string[], userIds: readonly string[]]
>(
  'conversations.find',
  conversationSql(
    `select ${headColumns}, wanted.place
       from unnest($1::uuid[], $2::uuid[]) with ordinality as wanted (id, user_id, place)
       join members as m on m.conversation_id = wanted.id and m.user_id = wanted.user_id and m.left_at is null
       join conversations as c on c.id = wanted.id and c.deleted_at is null`,
    ', h.place::int',
  ),
);

const find: BatchableRead<ViewCall, Conversation | undefined> = {
  name: 'conversations.find',
  keyOf: ({ id, me }) => `${id} ${me}`,
  isDoubtful: (found) => found === undefined,
  one: async (db, { id, me }) => (await db.query(findMany, [[id], [me]])).map(toConversation)[0],
  many: async (db, calls) => {
    const rows = await db.query(findMany, [calls.map(({ id }) => id), calls.map(({ me }) => me)]);
    const found = new Map(rows.map((row) => [row.place, toConversation(row)]));
    return calls.map((_, index) => found.get(index + 1));
  },
};

export interface PageCall {
  readonly me: string;
  readonly limit: number;
  /** Undefined for both. */
  readonly archived: boolean | undefined;
  readonly after: PageCursor | undefined;
}

/** Rows of the caller in `members`. `hours` selects them by `listed_at`. */
const ownRows = (hours: string): string =>
  `(select ${memberColumns} from members
     where user_id = $1 and left_at is null and ($3::bool is null or archived = $3) and listed_at ${hours})`;

const hourOfCursor = hourOf('$4::timestamptz');

/**
 * Newest activity first. Members have only the hour of it: whole hours are read until they fill a page, and all channels, whose members have
 * no hour. So the cost depends on the page and the number of the caller's channels. Reasons: docs/decisions/0070-conversations.md.
 */
export const selectPage = statement<
  ConversationRow,
  [me: string, limit: number, archived: boolean | undefined, activeAt: string | undefined, id: string | undefined]
>(
  'conversations.page',
  `with mine as materialized (
     ${ownRows("= 'infinity'")}
      union all
     ${ownRows(`= ${hourOfCursor}`)}
      union all
     ${ownRows(`< coalesce(${hourOfCursor}, 'infinity') order by listed_at desc fetch first ($2) rows with ties`)}
   )
   ${conversationSql(
     `select ${headColumns}
       from conversations as c join mine as m on m.conversation_id = c.id
      where c.id = any (array (select conversation_id from mine)) and c.deleted_at is null
        and ($4::timestamptz is null or (c.active_at, c.id) < ($4, $5::uuid))
      order by c.active_at desc, c.id desc limit $2`,
   )}
   order by active_at desc, id desc`,
);

const page = unbatched<PageCall, Conversation[]>({
  name: 'conversations.page',
  keyOf: ({ me, limit, archived, after }) => `${me},${limit},${archived},${after?.createdAt},${after?.id}`,
  one: async (db, { me, limit, archived, after }) =>
    (await db.query(selectPage, [me, limit, archived, after?.createdAt, after?.id])).map(toConversation),
});

/** Reads conversations for their members, from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class ConversationReader {
  /** Undefined for everybody but members. */
  readonly find: Read<ViewCall, Conversation | undefined>;
  /** Newest activity first. */
  readonly page: Read<PageCall, Conversation[]>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
    this.page = reads.prepare(page);
  }
}
