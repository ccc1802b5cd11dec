import { statement } from '../db/statement.ts';
import { folded } from '../db/folded.ts';
import { conversationSql, headColumns, type ConversationRow } from './conversation-rows.ts';
import { isDone, judge, listedAt, reach, takeSeq, type Outcome, type OutcomeRow } from './verdicts.ts';

type Text = string | undefined;

/** SQL: to be followed by `= ` and the caller. */
export const memberOf = 'join members as m on m.conversation_id = c.id and m.left_at is null and m.user_id';

/** At the end of a change: the conversation as the caller sees it then. */
export const view = statement<ConversationRow, [id: string, me: string]>(
  'conversations.view',
  conversationSql(
    `select ${headColumns} from conversations as c ${memberOf} = $2 where c.id = $1 and c.deleted_at is null`,
  ),
);

const pair = 'low_user = least($1::uuid, $2::uuid) and high_user = greatest($1::uuid, $2::uuid)';

export const viewDirect = statement<ConversationRow, [me: string, other: string]>(
  'conversations.view_direct',
  conversationSql(
    `select ${headColumns} from direct_conversations join conversations as c on c.id = conversation_id ${memberOf} = $1
      where ${pair} and c.deleted_at is null`,
  ),
);

/** Of two calls for a pair at the same moment, the second waits for the commit of the first, and then inserts nothing. */
export const insertDirect = statement<
  { readonly outcome: Outcome; readonly made: string | null },
  [me: string, other: string]
>(
  'conversations.insert_direct',
  `with verdict as materialized (
     select ${reach('$2::uuid', '$1::uuid')} as outcome
   ), made as (
     insert into direct_conversations (low_user, high_user, conversation_id)
     select least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), uuidv7() from verdict where outcome = 'done'
         on conflict (low_user, high_user) do nothing
     returning conversation_id
   ), c as (
     insert into conversations (id, kind, created_by, member_count, info_seq, seq)
     select conversation_id, 'direct', $1, 2, 1, 3 from made
     returning id, kind, active_at
   ), m as (
     insert into members (conversation_id, user_id, other_id, role, listed_at, changed_seq)
     select id, user_id, other_id, 'member', ${listedAt}, 1 + place
       from c cross join (values ($1::uuid, $2::uuid, 1), ($2, $1, 2)) as pair (user_id, other_id, place)
   )
   select outcome, (select conversation_id from made) as made from verdict`,
);

/** An id in use inserts nothing. `refused` has the first person who cannot be a member, with the place in the call, from 1. */
export const insertConversation = statement<
  { readonly made: string | null; readonly refused: Outcome | null; readonly place: number | null },
  [
    id: string,
    me: string,
    kind: string,
    title: string,
    about: string,
    isPublic: boolean,
    userIds: readonly string[],
    roleOfOthers: string,
  ]
>(
  'conversations.insert',
  `with wanted as materialized (
     select given.user_id, min(place) as place, ${reach('given.user_id', '$2::uuid')} as outcome
       from unnest($7::uuid[]) with ordinality as given (user_id, place) where given.user_id <> $2 group by given.user_id
   ), refused as materialized (
     select outcome, place::int from wanted where outcome <> 'done' order by place limit 1
   ), c as (
     insert into conversations (id, kind, title, about, is_public, search_title, created_by, member_count, info_seq, seq)
     select $1::uuid, $3, $4::text, $5, $6::bool, case when $6 then ${folded('$4::text')} end, $2::uuid, 1 + count(*), 1, 2 + count(*)
       from wanted having not exists (select from refused)
         on conflict (id) do nothing
     returning id, kind, active_at
   ), m as (
     insert into members (conversation_id, user_id, role, listed_at, changed_seq)
     select id, $2, 'owner', ${listedAt}, 2 from c
      union all
     select id, user_id, $8, ${listedAt}, 2 + row_number() over (order by user_id) from c cross join wanted
   )
   select (select id from c) as made, outcome as refused, place from (values (1)) as one left join refused on true`,
);

/** Only channels can be public. The same values change nothing. */
export const updateConversation = statement<
  OutcomeRow & { readonly kind: string | null },
  [
    id: string,
    me: string,
    title: Text,
    about: Text,
    isPublic: boolean | undefined,
    hasWindow: boolean,
    editWindow: number | undefined,
  ]
>(
  'conversations.update',
  `with ${judge('edit_conversation', "when $5::bool and kind <> 'channel' then 'invalid_request'")},
   wanted as (
     select id, coalesce($3, title) as title, coalesce($4, about) as about, coalesce($5, is_public) as is_public,
            case when $6 then $7::int else edit_window_seconds end as edit_window_seconds
       from conversations where id = $1 and ${isDone}
   ), changed as (
     update conversations
        set title = wanted.title, about = wanted.about, is_public = wanted.is_public,
            edit_window_seconds = wanted.edit_window_seconds,
            search_title = case when wanted.is_public then ${folded('wanted.title')} end,
            info_seq = seq + 1, ${takeSeq()}
       from wanted
      where conversations.id = wanted.id
        and (wanted.title, wanted.about, wanted.is_public, wanted.edit_window_seconds) is distinct from
            (conversations.title, conversations.about, conversations.is_public, conversations.edit_window_seconds)
   )
   select outcome, (select kind from c) as kind from verdict`,
);

/** SQL: marks the conversation as deleted. Its rows are removed later; members of groups have left, so that lists do not read it. */
const remove = (where: string): string => `gone as (
     update conversations set deleted_at = now(), search_title = null, info_seq = seq + 1, ${takeSeq()}
      where id = $1 and ${where} returning id, kind
   ), left_it as (
     update members set left_at = now() from gone
      where conversation_id = gone.id and kind = 'group' and left_at is null
   )`;

export const deleteConversation = statement<OutcomeRow, [id: string, me: string]>(
  'conversations.delete',
  `with ${judge('delete_conversation')}, ${remove(isDone)} select outcome from verdict`,
);

/** Takes no `seq` and no lock of the conversation: nobody else sees it. */
export const updateSettings = statement<
  never,
  [
    id: string,
    me: string,
    hasMute: boolean,
    mutedUntil: Text,
    pinned: boolean | undefined,
    archived: boolean | undefined,
  ]
>(
  'conversations.update_settings',
  `update members
      set muted_until = case when $3 then $4::timestamptz else muted_until end,
          pinned = coalesce($5, pinned), archived = coalesce($6, archived), own_changed_at = now()
    where conversation_id = $1 and user_id = $2 and left_at is null`,
);
