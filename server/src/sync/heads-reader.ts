import type { Conversation } from '@messenger/protocol/conversations';

import {
  conversationSql,
  headColumns,
  toConversation,
  type ConversationRow,
} from '../conversations/conversation-rows.ts';
import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';

export interface MembershipsCall {
  readonly userId: string;
  /** Milliseconds since 1970: also find what the person has left since then. */
  readonly sinceMs: number | undefined;
}

/** The conversations of a person, by their ids. */
export interface MembershipsNow {
  /** The clock of the server that answered. */
  readonly clockMs: number;
  readonly ids: readonly string[];
  readonly left: readonly string[];
}

interface MembershipRow {
  readonly place: number;
  readonly clock_ms: number;
  /** Null for the only row of a person without conversations. */
  readonly conversation_id: string | null;
  readonly is_left: boolean;
}

/** `left_at` is compared with infinity when nothing is wanted that was left: an array cannot have a null with `array_nulls = off`. */
const findMemberships = statement<MembershipRow, [userIds: readonly string[], since: readonly number[]]>(
  'sync.memberships',
  `select g.place::int, (extract(epoch from clock_timestamp()) * 1000)::float8 as clock_ms, m.conversation_id,
          m.left_at is not null or c.id is null as is_left
     from unnest($1::uuid[], $2::float8[]) with ordinality as g (user_id, since_ms, place)
     left join lateral (
       select conversation_id, left_at from members where user_id = g.user_id and left_at is null
        union all
       select conversation_id, left_at from members
        where user_id = g.user_id and left_at is not null and left_at > to_timestamp(g.since_ms / 1000)
     ) as m on true
     left join conversations c on c.id = m.conversation_id and c.deleted_at is null`,
);

const memberships: BatchableRead<MembershipsCall, MembershipsNow> = {
  name: 'sync.memberships',
  maxSize: 64,
  keyOf: ({ userId, sinceMs }) => `${userId} ${sinceMs}`,
  one: async (db, call) => one(await memberships.many(db, [call])),
  many: async (db, calls) => {
    const rows = await db.query(findMemberships, [
      calls.map(({ userId }) => userId),
      calls.map(({ sinceMs = Number.POSITIVE_INFINITY }) => sinceMs),
    ]);
    const found = calls.map(() => ({ clockMs: 0, ids: [] as string[], left: [] as string[] }));
    for (const { place, clock_ms: clockMs, conversation_id: id, is_left: isLeft } of rows) {
      const mine = found[place - 1];
      if (mine === undefined) continue;
      mine.clockMs = clockMs;
      if (id !== null) (isLeft ? mine.left : mine.ids).push(id);
    }
    return found;
  },
};

export interface HeadsCall {
  readonly userId: string;
  readonly ids: readonly string[];
  /** Milliseconds since 1970: only those that changed since then. */
  readonly sinceMs: number | undefined;
}

const findHeads = statement<
  ConversationRow & { readonly place: number },
  [ids: readonly string[], userIds: readonly string[], since: readonly number[], places: readonly number[]]
>(
  'sync.heads',
  conversationSql(
    `select ${headColumns}, g.place
       from unnest($1::uuid[], $2::uuid[], $3::float8[], $4::int[]) as g (id, user_id, since_ms, place)
       join members as m on m.conversation_id = g.id and m.user_id = g.user_id and m.left_at is null
       join conversations as c on c.id = g.id and c.deleted_at is null
      where greatest(c.changed_at, m.own_changed_at) > to_timestamp(g.since_ms / 1000)`,
    ', h.place',
  ),
);

const heads: BatchableRead<HeadsCall, Conversation[]> = {
  name: 'sync.heads',
  maxSize: 32,
  keyOf: ({ userId, ids, sinceMs }) => `${userId} ${sinceMs} ${ids.join()}`,
  one: async (db, call) => one(await heads.many(db, [call])),
  many: async (db, calls) => {
    const each = calls.flatMap(({ userId, ids, sinceMs = 0 }, place) =>
      ids.map((id) => ({ id, userId, sinceMs, place })),
    );
    const rows = await db.query(findHeads, [
      each.map(({ id }) => id),
      each.map(({ userId }) => userId),
      each.map(({ sinceMs }) => sinceMs),
      each.map(({ place }) => place),
    ]);
    const found = calls.map((): Conversation[] => []);
    for (const row of rows) found[row.place]?.push(toConversation(row));
    return found;
  },
};

function one<Result>(results: readonly Result[]): Result {
  const [result] = results;
  if (result === undefined) throw new Error('a statement returned no result');
  return result;
}

/** Reads what a socket is told of the conversations of its person. Rejects as `Reads` does. */
export class HeadsReader {
  readonly memberships: Read<MembershipsCall, MembershipsNow>;
  /** In any order. */
  readonly heads: Read<HeadsCall, Conversation[]>;

  constructor(reads: Reads) {
    this.memberships = reads.prepare(memberships);
    this.heads = reads.prepare(heads);
  }
}
