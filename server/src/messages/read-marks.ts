import type { ReadPosition } from '@messenger/protocol/reading';

import { deferred, isDeferred } from '../db/batch.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { byPlace, type Placed } from './placed-rows.ts';

/** `read`: all messages up to `number` are read, and none is unread again. `unread`: `number` and all after it are unread. */
export interface ReadMark {
  readonly conversationId: string;
  readonly userId: string;
  readonly kind: 'read' | 'unread';
  readonly number: number;
}

type Refusal = 'conversation_not_found';

interface MarkRow extends Placed {
  readonly is_member: boolean;
  /** Before the change; null when the row was not locked. */
  readonly read_number: number | null;
  readonly last_number: number | null;
}

type MarkValues = [
  conversationIds: readonly string[],
  userIds: readonly string[],
  lows: readonly number[],
  highs: readonly number[],
];

/** Only the member's own row is locked: it is private, so it takes no `seq`. `lock` says what happens to rows locked by another transaction. */
const markSql = (lock: string): string =>
  `with given as materialized (
     select conversation_id, user_id, low, high, place::int
       from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) with ordinality as g (conversation_id, user_id, low, high, place)
   ), locked as materialized (
     select g.place, m.conversation_id, m.user_id, m.read_number, c.last_number,
            least(greatest(m.read_number, least(g.low, c.last_number)), g.high) as new_number
       from given g
       join conversations c on c.id = g.conversation_id and c.deleted_at is null
       join members m on m.conversation_id = g.conversation_id and m.user_id = g.user_id and m.left_at is null
        for no key update of m ${lock}
   ), written as (
     update members m set read_number = l.new_number, own_changed_at = now()
       from locked l
      where m.conversation_id = l.conversation_id and m.user_id = l.user_id and l.new_number <> l.read_number
   )
   select g.place, l.read_number::float8, l.last_number::float8,
          l.place is not null or exists (
            select from members m join conversations c on c.id = m.conversation_id and c.deleted_at is null
             where m.conversation_id = g.conversation_id and m.user_id = g.user_id and m.left_at is null
          ) as is_member
     from given g left join locked l using (place)`;

const markFree = statement<MarkRow, MarkValues>('messages.mark_read_free', markSql('skip locked'));
const markWaiting = statement<MarkRow, MarkValues>('messages.mark_read', markSql(''));

/** Marks of one row, in their order, as one: `least(greatest(read_number, low), high)`. */
interface MergedMark extends Pick<ReadMark, 'conversationId' | 'userId'> {
  readonly low: number;
  readonly high: number;
}

function keyOf({ conversationId, userId }: Pick<ReadMark, 'conversationId' | 'userId'>): string {
  return `${conversationId} ${userId}`;
}

function add(
  { low, high }: Pick<MergedMark, 'low' | 'high'>,
  { kind, number }: ReadMark,
): Pick<MergedMark, 'low' | 'high'> {
  return kind === 'read'
    ? { low: Math.max(low, number), high: Math.max(high, number) }
    : { low: Math.min(low, number - 1), high: Math.min(high, number - 1) };
}

function merge(calls: readonly ReadMark[]): MergedMark[] {
  const merged = new Map<string, MergedMark>();
  for (const call of calls) {
    const { conversationId, userId } = call;
    const before = merged.get(keyOf(call)) ?? { low: 0, high: Number.MAX_SAFE_INTEGER };
    merged.set(keyOf(call), { conversationId, userId, ...add(before, call) });
  }
  return [...merged.values()];
}

function positionAfter(before: number, last: number, { kind, number }: ReadMark): number {
  return kind === 'read' ? Math.max(before, Math.min(number, last)) : Math.min(before, number - 1);
}

async function markAll(
  db: Queryable,
  wanted: typeof markFree,
  calls: readonly ReadMark[],
): Promise<(ReadPosition | Refusal | typeof deferred)[]> {
  const merged = merge(calls);
  const rows = await db.query(wanted, [
    merged.map(({ conversationId }) => conversationId),
    merged.map(({ userId }) => userId),
    merged.map(({ low }) => low),
    merged.map(({ high }) => high),
  ]);
  const placed = byPlace(rows, merged.length);
  const states = new Map(merged.map((mark, index) => [keyOf(mark), placed[index]]));
  return calls.map((call) => {
    const state = states.get(keyOf(call));
    if (state === undefined || !state.is_member) return 'conversation_not_found';
    const { read_number: before, last_number: last } = state;
    if (before === null || last === null) return deferred;
    const read_number = positionAfter(before, last, call);
    states.set(keyOf(call), { ...state, read_number });
    return { read_number, unread: Math.max(last - read_number, 0) };
  });
}

/** Moves what a member has read. Rows locked by another transaction, such as a send of the same member, are waited for outside of the batch. */
export const markRead: BatchableWrite<ReadMark, ReadPosition | Refusal> = {
  name: 'messages.mark_read',
  keyOf: (call) => `read ${keyOf(call)}`,
  one: async (db, call) => {
    const [result] = await markAll(db, markWaiting, [call]);
    // Without a lock after the wait for it, the membership has ended meanwhile.
    return result === undefined || isDeferred(result) ? 'conversation_not_found' : result;
  },
  many: async (db, calls) => markAll(db, markFree, calls),
};
