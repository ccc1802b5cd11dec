import { memberRoles } from '@messenger/protocol/rights';

import { everyone } from '../conversations/conversations-sql.ts';
import { statement } from '../db/statement.ts';
import { peopleShown } from './reaction-changes.ts';
import { previewLength } from './send-statements.ts';

/** An erasure, and its next conversation. */
export interface Erasure {
  readonly user_id: string;
  readonly username: string;
  readonly erases_messages: boolean;
  /** Null when all conversations are done. */
  readonly next_conversation: string | null;
  /** The last message that is done in it. */
  readonly done_number: number;
}

const memberships = (where: string): string =>
  `select conversation_id from members where user_id = e.user_id and ${where}`;

/** The oldest erasure. Conversations of which the person is or was a member, in the order of their ids. */
export const nextErasure = statement<Erasure>(
  'erasures.next',
  `select e.user_id, e.username, e.messages = 'erase' as erases_messages, n.conversation_id as next_conversation,
          case when n.conversation_id = e.conversation_id then coalesce(e.number, 0) else 0 end::float8 as done_number
     from (select * from erasures order by requested_at, user_id limit 1) e
     left join lateral (
       select conversation_id from (${memberships('left_at is null')} union all ${memberships('left_at is not null')}) m
        where e.conversation_id is null or conversation_id > e.conversation_id
           or (conversation_id = e.conversation_id and e.number is not null)
        order by conversation_id limit 1
     ) n on true`,
);

/** No row for a deleted conversation: all of it is being removed. */
export const lockForErasure = statement<{ readonly last_number: number }, [id: string]>(
  'erasures.lock_conversation',
  'select last_number::float8 from conversations where id = $1 and deleted_at is null for no key update',
);

const forgotten = 'read_number = 0, muted_until = null, pinned = false, archived = false';

/** The best role first, and the longest member: without another owner, this person becomes the owner. */
const heir = `select m.user_id
       from c join gone on kind <> 'direct' and gone.role = 'owner'
       join members m on m.conversation_id = c.id and m.user_id <> $2 and m.left_at is null
      where not exists (select from members o where o.conversation_id = $1 and o.user_id <> $2 and o.role = 'owner' and o.left_at is null)
      order by array_position(array[${memberRoles.map((role) => `'${role}'`).join()}], m.role), m.joined_at, m.user_id limit 1`;

/** Ends the membership and its invites. Without members the conversation ends, too; with one, a direct conversation stays for the other person. */
export const endMembership = statement<never, [conversationId: string, userId: string]>(
  'erasures.end_membership',
  `with c as materialized (
     select id, kind, seq, member_count from conversations where id = $1
   ), former as (
     update members set ${forgotten} where conversation_id = $1 and user_id = $2 and left_at is not null
   ), gone as (
     update members set left_at = now(), ${forgotten}, changed_seq = seq + 1
       from c where conversation_id = c.id and user_id = $2 and left_at is null
     returning role
   ), heir as materialized (${heir}), promoted as (
     update members m set role = 'owner', changed_seq = seq + 2 from c, heir
      where m.conversation_id = c.id and m.user_id = heir.user_id
   ), revoked as (
     update invites set revoked_at = now() where conversation_id = $1 and created_by = $2 and revoked_at is null
   ), unpaired as (
     delete from direct_conversations d using c, gone where d.conversation_id = c.id and kind = 'direct' and member_count = 1
   )
   update conversations
      set member_count = member_count - 1, seq = seq + 1 + (select count(*) from heir), changed_at = now(),
          deleted_at = case when member_count = 1 then now() end,
          search_title = case when member_count > 1 then search_title end,
          info_seq = case when member_count = 1 then seq + 1 else info_seq end
     from gone where id = $1`,
);

interface Range {
  readonly values: [conversationId: string, userId: string, after: number, to: number];
}

/** Texts that may mention the person; a later text with the name means somebody else, who has it now. */
const mayMention = (text: string, writtenAt: string): string =>
  `exists (select from erasures e where e.user_id = $2 and position('@' || e.username in lower(${text})) > 0 and ${writtenAt} <= e.requested_at)`;

/** `revision` is null for the message as it is now. */
export interface MentioningText {
  readonly number: number;
  readonly revision: number | null;
  readonly body: string;
}

export const mentioningTexts = statement<MentioningText, [...Range['values'], erases: boolean]>(
  'erasures.texts',
  `select number::float8, null::int as revision, body from messages
    where conversation_id = $1 and number > $3 and number <= $4 and deleted_at is null and not ($5 and sender_id = $2)
      and ${mayMention('body', `case when $2 = any (mentions) then '-infinity' else coalesce(edited_at, created_at) end`)}
    union all
   select number, revision, body from message_revisions
    where conversation_id = $1 and number > $3 and number <= $4 and ${mayMention('body', 'written_at')}`,
);

const inRange = 'conversation_id = $1 and number > $3 and number <= $4';

/** The aggregate without the reactions of the person: those that are in `mine`. */
const otherReactions = `(
              select jsonb_object_agg(emoji, value) from (
                select key as emoji, case when m.emoji is null then value else jsonb_build_object(
                         'count', (value ->> 'count')::int - 1,
                         'user_ids', array(
                           select r.user_id from reactions r
                            where r.conversation_id = $1 and r.number = e.number and r.emoji = key and r.user_id <> $2
                            order by 1 limit ${peopleShown}
                         )) end as value
                  from jsonb_each(e.reactions) left join mine m on m.number = e.number and m.emoji = key
              ) as each where (value ->> 'count')::int > 0
            )`;

/** Each changed message takes one `seq`. Absent revisions are of the message as it is now. */
export const eraseRange = statement<
  never,
  [
    ...Range['values'],
    erases: boolean,
    numbers: readonly number[],
    bodies: readonly string[],
    searches: readonly string[],
    revisionNumbers: readonly number[],
    revisions: readonly number[],
    revisionBodies: readonly string[],
  ]
>(
  'erasures.erase_range',
  `with mine as materialized (
     select number, emoji from reactions where user_id = $2 and ${inRange}
   ), changed as materialized (
     select e.number, e.mentions, g.body, g.search, $5 and e.sender_id = $2 and e.deleted_at is null as is_erased,
            c.seq + row_number() over (order by e.number) as new_seq
       from conversations c
       join messages e on e.conversation_id = c.id and e.number > $3 and e.number <= $4
       left join unnest($6::bigint[], $7::text[], $8::text[]) as g (number, body, search) on g.number = e.number
      where c.id = $1 and c.deleted_at is null and (
        g.number is not null or $2 = any (e.mentions) or e.number in (select number from mine)
        or $5 and e.sender_id = $2 and e.deleted_at is null
      )
   ), written as (
     update messages e
        set body = case when is_erased then '' else coalesce(x.body, e.body) end,
            search = case when is_erased then null else coalesce(x.search::tsvector, e.search) end,
            sent_hash = case when is_erased then '' else e.sent_hash end,
            mentions = case when is_erased then '{}' else array_remove(e.mentions, $2) end,
            mentions_all = e.mentions_all and not is_erased,
            reactions = case when not is_erased then ${otherReactions} end,
            pinned_at = case when not is_erased then e.pinned_at end,
            pinned_by = case when not is_erased then e.pinned_by end,
            deleted_at = case when is_erased then now() else e.deleted_at end,
            changed_seq = new_seq
       from changed x where e.conversation_id = $1 and e.number = x.number
   ), unreacted as (
     delete from reactions where user_id = $2 and ${inRange}
   ), without_reactions as (
     delete from reactions r using changed x where is_erased and r.conversation_id = $1 and r.number = x.number and r.user_id <> $2
   ), without_revisions as (
     delete from message_revisions r using changed x where is_erased and r.conversation_id = $1 and r.number = x.number
   ), renamed as (
     update message_revisions r set body = g.body
       from unnest($9::bigint[], $10::int[], $11::text[]) as g (number, revision, body)
      where r.conversation_id = $1 and r.number = g.number and r.revision = g.revision
        and g.number not in (select number from changed where is_erased)
   ), unmentioned as (
     delete from mentions where user_id = $2 and ${inRange}
   ), without_mentions as (
     delete from mentions r using changed x cross join lateral unnest(x.mentions || '${everyone}'::uuid) as u (user_id)
      where is_erased and u.user_id <> $2 and r.conversation_id = $1 and r.user_id = u.user_id and r.number = x.number
   ), counted as (
     update conversations c
        set seq = n.new_seq, changed_at = now(),
            last_preview = case
              when exists (select from changed x where x.number = c.last_number and is_erased) then null
              else coalesce((select left(x.body, ${previewLength}) from changed x where x.number = c.last_number), c.last_preview)
            end
       from (select max(new_seq) as new_seq from changed) n where c.id = $1 and n.new_seq is not null
   )
   update erasures set conversation_id = $1, number = $4 where user_id = $2`,
);

export const finishConversation = statement<never, [userId: string, conversationId: string]>(
  'erasures.finish_conversation',
  'update erasures set conversation_id = $2, number = null where user_id = $1',
);

/** What is of no conversation. A membership that began in the meantime begins the erasure anew. Its row is the last that is deleted. */
export const finishErasure = statement<never, [userId: string]>(
  'erasures.finish',
  `with rest as materialized (
     select exists (select from members where user_id = $1 and left_at is null) as is_there
   ), unblocked as (
     delete from blocks where user_id = $1 or blocked_id = $1
   ), reduced as (
     update audit set address = null, details = '{}' where user_id = $1 or actor_id = $1
   ), anew as (
     update erasures set conversation_id = null, number = 0 where user_id = $1 and (select is_there from rest)
   )
   delete from erasures where user_id = $1 and not (select is_there from rest)`,
);
