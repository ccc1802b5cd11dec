import { readersMax } from '@messenger/protocol/limits';

import { permits } from '../conversations/conversations-sql.ts';
import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';

interface TypingCall {
  readonly conversationId: string;
  readonly userId: string;
}

interface TypistRow {
  readonly place: number;
  readonly hidden: readonly string[];
}

const findTypists = statement<TypistRow, [conversationIds: readonly string[], userIds: readonly string[]]>(
  'sync.typists',
  `select g.place::int, array(select blocked_id from blocks b where b.user_id = g.user_id order by blocked_id limit 1000)::text[] as hidden
     from unnest($1::uuid[], $2::uuid[]) with ordinality as g (conversation_id, user_id, place)
     join members m on m.conversation_id = g.conversation_id and m.user_id = g.user_id and m.left_at is null
     join conversations c on c.id = g.conversation_id and c.deleted_at is null and ${permits('send', 'c.kind', 'm.role')}`,
);

const typing: BatchableRead<TypingCall, readonly string[] | undefined> = {
  name: 'sync.typists',
  keyOf: ({ conversationId, userId }) => `${conversationId} ${userId}`,
  one: async (db, call) => (await typing.many(db, [call]))[0],
  many: async (db, calls) => {
    const rows = await db.query(findTypists, [
      calls.map(({ conversationId }) => conversationId),
      calls.map(({ userId }) => userId),
    ]);
    const found = new Map(rows.map(({ place, hidden }) => [place, hidden]));
    return calls.map((_, index) => found.get(index + 1));
  },
};

interface ReceiptRow {
  readonly place: number;
}

const findReceipts = statement<ReceiptRow, [conversationIds: readonly string[], userIds: readonly string[]]>(
  'sync.receipts',
  `select g.place::int
     from unnest($1::uuid[], $2::uuid[]) with ordinality as g (conversation_id, user_id, place)
     join conversations c on c.id = g.conversation_id and c.kind <> 'channel' and c.member_count <= ${readersMax}
     join accounts a on a.user_id = g.user_id and not a.reads_private`,
);

const receipts: BatchableRead<TypingCall, boolean> = {
  name: 'sync.receipts',
  keyOf: ({ conversationId, userId }) => `${conversationId} ${userId}`,
  one: async (db, call) => (await receipts.many(db, [call]))[0] === true,
  many: async (db, calls) => {
    const rows = await db.query(findReceipts, [
      calls.map(({ conversationId }) => conversationId),
      calls.map(({ userId }) => userId),
    ]);
    const found = new Set(rows.map(({ place }) => place));
    return calls.map((_, index) => found.has(index + 1));
  },
};

interface LookCall {
  readonly me: string;
  readonly userIds: readonly string[];
}

/** Somebody whose presence the caller may see. */
export interface Seen {
  readonly userId: string;
  readonly lastSeenAt: string | null;
}

interface SeenRow {
  readonly place: number;
  readonly user_id: string;
  readonly last_seen_at: string | null;
}

/** `last_used_at` is accurate to the hour. */
const findSeen = statement<
  SeenRow,
  [callers: readonly string[], userIds: readonly string[], places: readonly number[]]
>(
  'sync.seen',
  `select g.place, g.user_id, (select max(last_used_at) from sessions s where s.user_id = g.user_id) as last_seen_at
     from unnest($1::uuid[], $2::uuid[], $3::int[]) as g (me, user_id, place)
     join accounts a on a.user_id = g.user_id and not a.presence_private and a.disabled_at is null
    where exists (
            select from members x join members y on y.conversation_id = x.conversation_id and y.user_id = g.user_id and y.left_at is null
              join conversations c on c.id = x.conversation_id and c.deleted_at is null
             where x.user_id = g.me and x.left_at is null)
      and not exists (select from blocks b where b.user_id = g.user_id and b.blocked_id = g.me)`,
);

const seen: BatchableRead<LookCall, Seen[]> = {
  name: 'sync.seen',
  maxSize: 32,
  keyOf: ({ me, userIds }) => `${me} ${userIds.join()}`,
  one: async (db, call) => (await seen.many(db, [call]))[0] ?? [],
  many: async (db, calls) => {
    const each = calls.flatMap(({ me, userIds }, place) => userIds.map((userId) => ({ me, userId, place })));
    const rows = await db.query(findSeen, [
      each.map(({ me }) => me),
      each.map(({ userId }) => userId),
      each.map(({ place }) => place),
    ]);
    const found = calls.map((): Seen[] => []);
    for (const { place, user_id: userId, last_seen_at: lastSeenAt } of rows) found[place]?.push({ userId, lastSeenAt });
    return found;
  },
};

/** Who may see what people do besides writing. Rejects as `Reads` does. */
export class AudienceReader {
  /** The people who do not see the typing of a member; undefined for who may not write. */
  readonly typing: Read<TypingCall, readonly string[] | undefined>;
  /** Whether the other members may see what a member has read. */
  readonly receipts: Read<TypingCall, boolean>;
  /** Of these people, those whose presence the caller may see. */
  readonly seen: Read<LookCall, Seen[]>;

  constructor(reads: Reads) {
    this.typing = reads.prepare(typing);
    this.receipts = reads.prepare(receipts);
    this.seen = reads.prepare(seen);
  }
}
