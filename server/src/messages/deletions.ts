import { everyone, permits } from '../conversations/conversations-sql.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { countChanges, joinMessages, nextSeq } from './changes-sql.ts';
import { inRounds } from './in-rounds.ts';
import { byPlace, onlyOf, type Placed } from './placed-rows.ts';

export interface Deletion {
  readonly conversationId: string;
  readonly number: number;
  readonly userId: string;
}

export type DeletionOutcome = 'done' | 'unchanged' | 'conversation_not_found' | 'not_permitted' | 'message_not_found';

/** Leaves a row without content. The replies of a thread stay, and still count in it: numbers only grow. */
const deleteMany = statement<
  Placed & { readonly outcome: DeletionOutcome },
  [conversationIds: readonly string[], numbers: readonly number[], userIds: readonly string[]]
>(
  'messages.delete',
  `with joined as materialized (
     select g.place::int, g.conversation_id, g.number, g.user_id, c.kind, c.seq, c.last_number, m.role,
            e.number is not null as is_there, e.deleted_at is not null as is_deleted, e.sender_id, e.mentions
       from unnest($1::uuid[], $2::bigint[], $3::uuid[]) with ordinality as g (conversation_id, number, user_id, place)
       ${joinMessages}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when not is_there then 'message_not_found'
              when sender_id <> user_id and not ${permits('delete_messages', 'kind', 'role')} then 'not_permitted'
              when is_deleted then 'unchanged'
              else 'done'
            end as outcome
       from joined
   ), deletions as materialized (
     select *, ${nextSeq} from judged where outcome = 'done'
   ), written as (
     update messages e
        set body = '', search = null, reactions = null, mentions = '{}', mentions_all = false, pinned_at = null, pinned_by = null,
            deleted_at = now(), changed_seq = d.new_seq
       from deletions d where e.conversation_id = d.conversation_id and e.number = d.number
   ), without_reactions as (
     delete from reactions r using deletions d where r.conversation_id = d.conversation_id and r.number = d.number
   ), without_revisions as (
     delete from message_revisions r using deletions d where r.conversation_id = d.conversation_id and r.number = d.number
   ), without_mentions as (
     delete from mentions r using deletions d cross join lateral unnest(d.mentions || '${everyone}'::uuid) as u (user_id)
      where r.user_id = u.user_id and r.conversation_id = d.conversation_id and r.number = d.number
   ), counted as (
     ${countChanges(
       'deletions',
       `,
            last_preview = case
              when not exists (select from deletions d where d.conversation_id = c.id and d.number = c.last_number) then c.last_preview
            end`,
     )}
   )
   select place, outcome from judged`,
);

async function deleteAll(db: Queryable, calls: readonly Deletion[]): Promise<DeletionOutcome[]> {
  const rows = await db.query(deleteMany, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ number }) => number),
    calls.map(({ userId }) => userId),
  ]);
  return byPlace(rows, calls.length).map(({ outcome }) => outcome);
}

/** Deletes the content of a message everywhere. A repeated call changes nothing. */
export const remove: BatchableWrite<Deletion, DeletionOutcome> = {
  name: 'messages.delete',
  keyOf: ({ conversationId }) => conversationId,
  one: async (db, call) => onlyOf(await deleteAll(db, [call])),
  many: async (db, calls) => inRounds(calls, async (round) => deleteAll(db, round)),
};
