import { permits } from '../conversations/conversations-sql.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { countChanges, isThere, joinMessages, nextSeq } from './changes-sql.ts';
import { inRounds } from './in-rounds.ts';
import { byPlace, onlyOf, type Placed } from './placed-rows.ts';

export interface Pin {
  readonly conversationId: string;
  readonly number: number;
  readonly userId: string;
  /** Whether the message is to be pinned or not. */
  readonly pinned: boolean;
}

export type PinOutcome = 'done' | 'unchanged' | 'conversation_not_found' | 'not_permitted' | 'message_not_found';

const pinMany = statement<
  Placed & { readonly outcome: PinOutcome },
  [
    conversationIds: readonly string[],
    numbers: readonly number[],
    userIds: readonly string[],
    pinned: readonly boolean[],
  ]
>(
  'messages.pin',
  `with joined as materialized (
     select g.place::int, g.conversation_id, g.number, g.user_id, g.pinned, c.kind, c.seq, m.role,
            ${isThere} as is_there, e.pinned_at is not null as is_pinned
       from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bool[]) with ordinality as g (conversation_id, number, user_id, pinned, place)
       ${joinMessages}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when not ${permits('pin', 'kind', 'role')} then 'not_permitted'
              when not is_there then 'message_not_found'
              when is_pinned = pinned then 'unchanged'
              else 'done'
            end as outcome
       from joined
   ), pins as materialized (
     select *, ${nextSeq} from judged where outcome = 'done'
   ), written as (
     update messages e
        set pinned_at = case when p.pinned then now() end, pinned_by = case when p.pinned then p.user_id end, changed_seq = p.new_seq
       from pins p where e.conversation_id = p.conversation_id and e.number = p.number
   ), counted as (
     ${countChanges('pins')}
   )
   select place, outcome from judged`,
);

async function pinAll(db: Queryable, calls: readonly Pin[]): Promise<PinOutcome[]> {
  const rows = await db.query(pinMany, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ number }) => number),
    calls.map(({ userId }) => userId),
    calls.map(({ pinned }) => pinned),
  ]);
  return byPlace(rows, calls.length).map(({ outcome }) => outcome);
}

/** Pins a message or ends that. A repeated call changes nothing. */
export const pin: BatchableWrite<Pin, PinOutcome> = {
  name: 'messages.pin',
  keyOf: ({ conversationId }) => conversationId,
  one: async (db, call) => onlyOf(await pinAll(db, [call])),
  many: async (db, calls) => inRounds(calls, async (round) => pinAll(db, round)),
};
