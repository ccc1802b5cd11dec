import { reactionKindsMax } from '@messenger/protocol/limits';

import { permits } from '../conversations/conversations-sql.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { countChanges, isThere, joinMessages, nextSeq } from './changes-sql.ts';
import { byPlace, onlyOf, type Placed } from './placed-rows.ts';
import { directRefusal } from './send-statements.ts';

export interface ReactionChange {
  readonly conversationId: string;
  readonly number: number;
  readonly userId: string;
  readonly emoji: string;
}

export type ReactionOutcome =
  | 'done'
  | 'unchanged'
  | 'conversation_not_found'
  | 'not_permitted'
  | 'message_not_found'
  | 'recipient_unavailable'
  | 'recipient_blocked'
  | 'too_many_reactions';

type Values = readonly [
  conversationIds: readonly string[],
  numbers: readonly number[],
  userIds: readonly string[],
  emoji: readonly string[],
];
type OutcomeRow = Placed & { readonly outcome: ReactionOutcome };

/** People in the aggregate of a reaction: those with the smallest ids. */
export const peopleShown = 10;

const joined = `
     select g.place::int, g.conversation_id, g.number, g.user_id, g.user_id as sender_id, g.emoji, c.kind, c.seq, m.role,
            ${isThere} as is_there, coalesce(e.reactions, '{}') as reactions, r.user_id is not null as has_it
       from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) with ordinality as g (conversation_id, number, user_id, emoji, place)
       ${joinMessages}
       left join reactions r
         on r.conversation_id = e.conversation_id and r.number = e.number and r.emoji = g.emoji and r.user_id = g.user_id`;

const sameReaction = (one: string, other: string): string =>
  `${one}.conversation_id = ${other}.conversation_id and ${one}.number = ${other}.number and ${one}.emoji = ${other}.emoji`;

/**
 * Of equal calls, one is executed, and all have its outcome. New kinds are counted in the order of their first calls: those beyond the limit
 * are refused. The aggregate is that of before with the new people, which needs no scan of what may be 100,000 rows.
 */
const addMany = statement<OutcomeRow, Values>(
  'messages.react',
  `with joined as materialized (${joined}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when not ${permits('react', 'kind', 'role')} then 'not_permitted'
              when not is_there then 'message_not_found'
              when has_it then 'unchanged'
              when kind = 'direct' then (${directRefusal})
            end as refusal
       from joined j
   ), wanted as (
     select distinct on (conversation_id, number, emoji, user_id) *, not reactions ? emoji as is_new,
            min(place) over (partition by conversation_id, number, emoji) as first_place
       from judged where refusal is null
      order by conversation_id, number, emoji, user_id, place
   ), counted_kinds as materialized (
     select *, is_new and (select count(*) from jsonb_object_keys(reactions))
              + dense_rank() over (partition by conversation_id, number, is_new order by first_place) > ${reactionKindsMax} as is_too_much
       from wanted
   ), added as materialized (
     select *, ${nextSeq} from counted_kinds where not is_too_much
   ), stored as (
     insert into reactions (conversation_id, number, emoji, user_id) select conversation_id, number, emoji, user_id from added
   ), sums as (
     select conversation_id, number, emoji, reactions -> emoji as before, count(*), array_agg(user_id) as user_ids, max(new_seq) as new_seq
       from added group by conversation_id, number, emoji, reactions
   ), written as (
     update messages e
        set reactions = coalesce(e.reactions, '{}') || n.reactions, changed_seq = n.new_seq
       from (
         select conversation_id, number, max(new_seq) as new_seq, jsonb_object_agg(emoji, jsonb_build_object(
                  'count', coalesce((before ->> 'count')::int, 0) + count,
                  'user_ids', array(
                    select u.id from (
                      select unnest(user_ids) union select jsonb_array_elements_text(before -> 'user_ids')::uuid
                    ) as u (id) order by u.id limit ${peopleShown}
                  ))) as reactions
           from sums group by conversation_id, number
       ) n
      where e.conversation_id = n.conversation_id and e.number = n.number
   ), counted as (
     ${countChanges('added')}
   )
   select j.place, coalesce(j.refusal, case when k.is_too_much then 'too_many_reactions' else 'done' end) as outcome
     from judged j left join counted_kinds k on ${sameReaction('k', 'j')} and k.user_id = j.user_id and j.refusal is null`,
);

/** Of equal calls, one is executed, and all have its outcome. */
const removeMany = statement<OutcomeRow, Values>(
  'messages.unreact',
  `with joined as materialized (${joined}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when not is_there then 'message_not_found'
              when not has_it then 'unchanged'
              else 'done'
            end as outcome
       from joined
   ), wanted as (
     select distinct on (conversation_id, number, emoji, user_id) *
       from judged where outcome = 'done' order by conversation_id, number, emoji, user_id, place
   ), removed as materialized (
     select *, ${nextSeq} from wanted
   ), gone as (
     delete from reactions r using removed d where ${sameReaction('r', 'd')} and r.user_id = d.user_id
   ), sums as (
     select conversation_id, number, emoji, (reactions -> emoji ->> 'count')::int - count(*) as left_count,
            array_agg(user_id) as user_ids, max(new_seq) as new_seq
       from removed group by conversation_id, number, emoji, reactions
   ), written as (
     update messages e
        set reactions = nullif(e.reactions - n.emptied || n.reactions, '{}'), changed_seq = n.new_seq
       from (
         select conversation_id, number, max(new_seq) as new_seq,
                coalesce(array_agg(emoji) filter (where left_count = 0), '{}') as emptied,
                coalesce(jsonb_object_agg(emoji, jsonb_build_object(
                  'count', left_count,
                  'user_ids', array(
                    select r.user_id from reactions r
                     where ${sameReaction('r', 's')} and r.user_id <> all (s.user_ids) order by r.user_id limit ${peopleShown}
                  ))) filter (where left_count > 0), '{}') as reactions
           from sums s group by conversation_id, number
       ) n
      where e.conversation_id = n.conversation_id and e.number = n.number
   ), counted as (
     ${countChanges('removed')}
   )
   select place, outcome from judged`,
);

function changeAll(change: typeof addMany, name: string): BatchableWrite<ReactionChange, ReactionOutcome> {
  const all = async (db: Queryable, calls: readonly ReactionChange[]): Promise<ReactionOutcome[]> => {
    const rows = await db.query(change, [
      calls.map(({ conversationId }) => conversationId),
      calls.map(({ number }) => number),
      calls.map(({ userId }) => userId),
      calls.map(({ emoji }) => emoji),
    ]);
    return byPlace(rows, calls.length).map(({ outcome }) => outcome);
  };
  return {
    name,
    keyOf: ({ conversationId }) => conversationId,
    one: async (db, call) => onlyOf(await all(db, [call])),
    many: all,
  };
}

/** Adds a reaction, which any number of people share. A repeated call changes nothing. */
export const react = changeAll(addMany, 'messages.react');

/** Removes an own reaction. A repeated call changes nothing. */
export const unreact = changeAll(removeMany, 'messages.unreact');
