import type { Message } from '@messenger/protocol/messages';

import { everyone } from '../conversations/conversations-sql.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { countChanges, isThere, joinMessages, nextSeq } from './changes-sql.ts';
import { inRounds } from './in-rounds.ts';
import { mentionNamesOf } from './mention-names.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';
import { byPlace, onlyOf, type Placed } from './placed-rows.ts';
import { searchVectorOf } from './search-words.ts';
import { directRefusal, mentionedPeople, mentionsEveryone, previewLength } from './send-statements.ts';

export interface Edit {
  readonly conversationId: string;
  readonly number: number;
  readonly userId: string;
  readonly body: string;
}

export type EditRefusal =
  | 'conversation_not_found'
  | 'message_not_found'
  | 'not_permitted'
  | 'edit_window_over'
  | 'recipient_unavailable'
  | 'recipient_blocked';

interface EditRow extends Placed, MessageRow {
  readonly outcome: EditRefusal | 'done' | 'unchanged';
}

/** An edit that was executed before is a repeat, also when the window is over since. Of the mentions, those that stay are not written again. */
const editMany = statement<
  EditRow,
  [
    conversationIds: readonly string[],
    numbers: readonly number[],
    userIds: readonly string[],
    bodies: readonly string[],
    names: readonly string[],
    wantsAll: readonly boolean[],
    searches: readonly string[],
  ]
>(
  'messages.edit',
  `with joined as materialized (
     select g.place::int, g.conversation_id, g.number, g.user_id, g.body, g.names, g.wants_all, g.search,
            c.kind, c.seq, c.member_count, m.role, ${isThere} as is_there, e.sender_id, e.created_at, e.revision,
            e.body as old_body, coalesce(e.edited_at, e.created_at) as written_at, e.mentions as old_mentions,
            now() > e.created_at + c.edit_window_seconds * interval '1 second' as is_late
       from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bool[], $7::text[])
            with ordinality as g (conversation_id, number, user_id, body, names, wants_all, search, place)
       ${joinMessages}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when not is_there then 'message_not_found'
              when sender_id <> user_id then 'not_permitted'
              when body = old_body then 'unchanged'
              when is_late then 'edit_window_over'
              when kind = 'direct' then coalesce((${directRefusal}), 'done')
              else 'done'
            end as outcome
       from joined j
   ), edits as materialized (
     select *, ${nextSeq}, ${mentionsEveryone} as mentions_all from judged where outcome = 'done'
   ), mentioned as materialized (
     ${mentionedPeople('edits')}
   ), written as (
     update messages e
        set body = s.body, search = s.search::tsvector, edited_at = now(), revision = e.revision + 1, changed_seq = s.new_seq,
            mentions = array(select user_id from mentioned m where m.place = s.place order by user_id), mentions_all = s.mentions_all
       from edits s where e.conversation_id = s.conversation_id and e.number = s.number
     returning s.place, e.*
   ), kept as (
     insert into message_revisions (conversation_id, number, revision, body, written_at)
     select conversation_id, number, revision, old_body, written_at from edits
   ), wanted as materialized (
     select user_id, conversation_id, number, sender_id, created_at from mentioned where notifies
      union all
     select '${everyone}', conversation_id, number, sender_id, created_at from edits where mentions_all
   ), unnoted as (
     delete from mentions r
      using edits s cross join lateral unnest(s.old_mentions || '${everyone}'::uuid) as u (user_id)
      where r.user_id = u.user_id and r.conversation_id = s.conversation_id and r.number = s.number
        and (r.user_id, r.conversation_id, r.number) not in (select user_id, conversation_id, number from wanted)
   ), noted as (
     insert into mentions (user_id, conversation_id, number, sender_id, created_at)
     select user_id, conversation_id, number, sender_id, created_at from wanted on conflict do nothing
   ), counted as (
     ${countChanges(
       'edits',
       `,
            last_preview = coalesce(
              (select left(s.body, ${previewLength}) from edits s where s.conversation_id = c.id and s.number = c.last_number),
              c.last_preview)`,
     )}
   ), states as (
     select * from written
      union all
     select j.place, e.* from judged j join messages e on e.conversation_id = j.conversation_id and e.number = j.number
      where j.outcome = 'unchanged'
   )
   select j.place, j.outcome, ${messageColumns('s')} from judged j left join states s on s.place = j.place`,
);

async function editAll(db: Queryable, calls: readonly Edit[]): Promise<(Message | EditRefusal)[]> {
  const mentions = calls.map(({ body }) => mentionNamesOf(body));
  const rows = await db.query(editMany, [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ number }) => number),
    calls.map(({ userId }) => userId),
    calls.map(({ body }) => body),
    mentions.map(({ names }) => names.join(' ')),
    mentions.map(({ all }) => all),
    calls.map(({ conversationId, body }) => searchVectorOf(conversationId, body)),
  ]);
  return byPlace(rows, calls.length).map((row) =>
    row.outcome === 'done' || row.outcome === 'unchanged' ? toMessage(row) : row.outcome,
  );
}

/** Replaces the body of an own message, and keeps the old one as a revision. The same body changes nothing. */
export const edit: BatchableWrite<Edit, Message | EditRefusal> = {
  name: 'messages.edit',
  keyOf: ({ conversationId }) => conversationId,
  one: async (db, call) => onlyOf(await editAll(db, [call])),
  many: async (db, calls) => inRounds(calls, async (round) => editAll(db, round)),
};
