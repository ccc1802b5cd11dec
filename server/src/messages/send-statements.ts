import { mentionAllMax } from '@messenger/protocol/limits';

import { everyone, hourOf, lockedConversations, permits } from '../conversations/conversations-sql.ts';
import { statement } from '../db/statement.ts';
import { messageColumns, type MessageRow } from './message-rows.ts';

/** Why a send is refused; nothing was stored. */
export type SendRefusal =
  | 'conversation_not_found'
  | 'not_permitted'
  | 'message_not_found'
  | 'message_id_taken'
  | 'recipient_unavailable'
  | 'recipient_blocked';

/** In code points, of the last message in lists of conversations. */
export const previewLength = 200;

/** SQL: why a direct message cannot reach the other person; null when it can. */
export const directRefusal = `
  select case
           when exists (select from blocks where user_id = j.sender_id and blocked_id = o.user_id) then 'recipient_blocked'
           when a.user_id is null or a.disabled_at is not null
             or exists (select from blocks where user_id = o.user_id and blocked_id = j.sender_id) then 'recipient_unavailable'
         end
    from members o left join accounts a on a.user_id = o.user_id
   where o.conversation_id = j.conversation_id and o.user_id <> j.sender_id`;

const isThread = `exists (select from messages r
  where r.conversation_id = j.conversation_id and r.number = j.thread_of and r.thread_of is null and r.deleted_at is null)`;

export const mentionsEveryone = `wants_all and (${permits('mention_all', 'kind', 'role')} or kind = 'group' and member_count <= ${mentionAllMax})`;

/** SQL: the members whose names the bodies of messages have. */
export function mentionedPeople(messages: string): string {
  return `select s.place, a.user_id, s.conversation_id, s.number, s.sender_id, s.created_at,
            a.user_id <> s.sender_id
              and not exists (select from blocks b where b.user_id = a.user_id and b.blocked_id = s.sender_id) as notifies
       from ${messages} s cross join lateral string_to_table(s.names, ' ') as n (username)
       join accounts a on a.username = n.username
       join members m on m.conversation_id = s.conversation_id and m.user_id = a.user_id and m.left_at is null
      where s.names <> ''`;
}

const isHourOver = `kind <> 'channel' and ${hourOf('created_at')} > ${hourOf('active_at')}`;

/** The number of each new message in its conversation. In both statements, `judged` has the refusals. */
const numbers = `last_number + row_number() over calls as number, seq + row_number() over calls as new_seq,
            lead(place) over calls is null as is_last`;
const calls = 'window calls as (partition by conversation_id, refusal is null order by place)';

const updateConversations = `update conversations c
        set seq = s.new_seq, last_number = s.number, changed_at = now(), active_at = s.created_at, last_sender_id = s.sender_id,
            last_preview = left(s.body, ${previewLength})
       from sent s
      where s.is_last and c.id = s.conversation_id`;

/** A conversation counts as absent unless this transaction has locked it. `e` is a message with the same id. */
const joins = `left join conversations c on c.id = g.conversation_id and c.deleted_at is null and c.id = any (${lockedConversations})
       left join members m on m.conversation_id = c.id and m.user_id = g.sender_id and m.left_at is null
       left join messages e on e.conversation_id = c.id and e.id = g.id`;

interface PlainRow {
  readonly place: number;
  /** `again`: it must be sent by `sendFull`. */
  readonly outcome: SendRefusal | 'sent' | 'again';
  readonly new_number: number;
  readonly new_seq: number;
  readonly sent_at: string;
}

/**
 * Most messages: not in a thread, without mentions, not a repeat, and not the first one in an hour. To start a statement costs PostgreSQL
 * time for each table and index in it, used or not: this one takes half the time of `sendFull` (docs/decisions/0070-conversations.md).
 */
export const sendPlain = statement<
  PlainRow,
  [
    conversationIds: readonly string[],
    senderIds: readonly string[],
    ids: readonly string[],
    bodies: readonly string[],
    hashes: readonly string[],
    repliesTo: readonly number[],
    searches: readonly string[],
  ]
>(
  'messages.send',
  `with joined as materialized (
     select g.place::int, g.conversation_id, g.sender_id, g.id, g.body, decode(g.hash, 'hex') as hash, g.reply_to, g.search,
            c.kind, c.seq, c.last_number, c.active_at, m.role, e.number as old_number, greatest(now(), c.active_at) as created_at
       from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[])
            with ordinality as g (conversation_id, sender_id, id, body, hash, reply_to, search, place)
       ${joins}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when old_number is not null or ${isHourOver} then 'again'
              when not ${permits('send', 'kind', 'role')} then 'not_permitted'
              when reply_to > last_number then 'message_not_found'
              when kind = 'direct' then (${directRefusal})
            end as refusal
       from joined j
   ), numbered as materialized (
     select *, ${numbers} from judged ${calls}
   ), sent as not materialized (
     select * from numbered where refusal is null
   ), stored as (
     insert into messages (conversation_id, number, id, sender_id, body, sent_hash, reply_to, created_at, changed_seq, search)
     select conversation_id, number, id, sender_id, body, hash, nullif(reply_to, 0), created_at, new_seq, search::tsvector from sent
   ), counted as (
     ${updateConversations}
   ), touched as (
     update members m set read_number = t.number
       from (select conversation_id, sender_id, max(number) as number from sent group by conversation_id, sender_id) t
      where m.conversation_id = t.conversation_id and m.user_id = t.sender_id
   )
   select place, coalesce(refusal, 'sent') as outcome, number::float8 as new_number, new_seq::float8, created_at as sent_at from numbered`,
);

/** The columns of a message are those of `repeated`, and null otherwise. */
export interface SendRow extends MessageRow {
  readonly place: number;
  readonly outcome: SendRefusal | 'sent' | 'repeated';
  readonly new_number: number;
  readonly new_seq: number;
  readonly sent_at: string;
  readonly mentioned_all: true | null;
  readonly mentioned: string[] | null;
}

/** Any message. Absent numbers are 0, because nulls in arrays become text with `array_nulls = off`. */
export const sendFull = statement<
  SendRow,
  [
    conversationIds: readonly string[],
    senderIds: readonly string[],
    ids: readonly string[],
    bodies: readonly string[],
    hashes: readonly string[],
    repliesTo: readonly number[],
    threadsOf: readonly number[],
    names: readonly string[],
    wantsAll: readonly boolean[],
    searches: readonly string[],
  ]
>(
  'messages.send_full',
  `with joined as materialized (
     select g.place::int, g.conversation_id, g.sender_id, g.id, g.body, decode(g.hash, 'hex') as hash, g.reply_to, g.thread_of,
            g.names, g.wants_all, g.search, c.kind, c.seq, c.last_number, c.member_count, c.active_at, m.role,
            greatest(now(), c.active_at) as created_at,
            e.number as old_number, e.sender_id as old_sender, e.sent_hash as old_hash
       from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::bool[], $10::text[])
            with ordinality as g (conversation_id, sender_id, id, body, hash, reply_to, thread_of, names, wants_all, search, place)
       ${joins}
   ), judged as materialized (
     select *, case
              when role is null then 'conversation_not_found'
              when old_number is not null
                then case when old_sender = sender_id and old_hash = hash then 'repeated' else 'message_id_taken' end
              when not ${permits('send', 'kind', 'role')} then 'not_permitted'
              when reply_to > last_number or thread_of > 0 and not ${isThread} then 'message_not_found'
              when kind = 'direct' then (${directRefusal})
            end as refusal
       from joined j
   ), numbered as materialized (
     select *, ${mentionsEveryone} as mentions_all, ${numbers} from judged ${calls}
   ), sent as not materialized (
     select * from numbered where refusal is null
   ), mentioned as materialized (
     ${mentionedPeople('sent')}
   ), stored as (
     insert into messages (conversation_id, number, id, sender_id, body, sent_hash, reply_to, thread_of, mentions, mentions_all,
                           created_at, changed_seq, search)
     select conversation_id, number, id, sender_id, body, hash, nullif(reply_to, 0), nullif(thread_of, 0),
            case when names = '' then '{}' else array(select m.user_id from mentioned m where m.place = s.place order by m.user_id) end,
            mentions_all, created_at, new_seq, search::tsvector
       from sent s
   ), counted as (
     ${updateConversations}
   ), touched as (
     update members m
        set read_number = greatest(m.read_number, t.number), listed_at = coalesce(t.hour, m.listed_at)
       from (
         select conversation_id, user_id, max(number) as number, max(hour) as hour
           from (
             select conversation_id, sender_id as user_id, number, null::timestamptz as hour from sent
              union all
             select o.conversation_id, o.user_id, 0, x.hour
               from (
                 select distinct conversation_id, ${hourOf('created_at')} as hour from sent
                  where ${isHourOver}
               ) x
               join members o on o.conversation_id = x.conversation_id and o.left_at is null
           ) as each
          group by conversation_id, user_id
       ) t
      where m.conversation_id = t.conversation_id and m.user_id = t.user_id
   ), threaded as (
     update messages r
        set thread_count = r.thread_count + t.count, thread_last = t.number, changed_seq = t.new_seq
       from (
         select conversation_id, thread_of, count(*), max(number) as number, max(new_seq) as new_seq
           from sent where thread_of > 0 group by conversation_id, thread_of
       ) t
      where r.conversation_id = t.conversation_id and r.number = t.thread_of
   ), noted as (
     insert into mentions (user_id, conversation_id, number, sender_id, created_at)
     select user_id, conversation_id, number, sender_id, created_at from mentioned where notifies
      union all
     select '${everyone}', conversation_id, number, sender_id, created_at from sent where mentions_all
   )
   select s.place, coalesce(s.refusal, 'sent') as outcome, s.number::float8 as new_number, s.new_seq::float8, s.created_at as sent_at,
          nullif(s.mentions_all, false) as mentioned_all,
          (select array_agg(m.user_id order by m.user_id) from mentioned m where m.place = s.place)::text[] as mentioned,
          ${messageColumns('e')}
     from numbered s
     left join messages e on s.refusal = 'repeated' and e.conversation_id = s.conversation_id and e.number = s.old_number`,
);
