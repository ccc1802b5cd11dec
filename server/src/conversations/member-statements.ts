import type { AdditionResult } from '@messenger/protocol/members';
import { isAbove } from '@messenger/protocol/rights';

import { statement } from '../db/statement.ts';
import { capacity, enrol, enter, enterable, roleOfNewcomer } from './enrolment.ts';
import { hasNoSuchRole, isBeyond, rolePairs } from './given-roles.ts';
import { memberSql, type MemberRow } from './member-rows.ts';
import { isDone, judge, listedAt, reach, takeSeq, type Outcome, type OutcomeRow } from './verdicts.ts';

type Values = [id: string, me: string, userId: string];

/** SQL: members act on people below their own role, owners also on owners. */
const isOutranked = `(role, target_role) not in (${rolePairs(isAbove)})`;

const isLastOwner = (userId: string): string =>
  `not exists (select from members where conversation_id = $1 and role = 'owner' and left_at is null and user_id <> ${userId})`;

/** SQL: the row of the person `$3`, whose role is null unless it is a member. */
const target = `target as materialized (
     select case when left_at is null then role end as target_role, banned_at from members where conversation_id = $1 and user_id = $3
   )`;

/** At the end of a change: the person as it is then. */
export const viewMember = statement<MemberRow, [id: string, userId: string]>(
  'members.view',
  `select ${memberSql} from members as m left join users as u on u.id = m.user_id
    where conversation_id = $1 and user_id = $2`,
);

/** One row per person, or one with the outcome of the whole call. */
export const addMembers = statement<
  OutcomeRow & { readonly user_id: string | null; readonly result: AdditionResult['outcome'] },
  [id: string, me: string, userIds: readonly string[]]
>(
  'members.add',
  `with ${judge('add_members')}, judged as materialized (
     select given.user_id, min(place) as place, case
              when bool_or(m.user_id is not null and m.left_at is null) then 'already_member'
              when bool_or(m.banned_at is not null) then 'banned'
              else ${reach('given.user_id', '$2::uuid')} end as result
       from unnest($3::uuid[]) with ordinality as given (user_id, place)
       left join members as m on m.conversation_id = $1 and m.user_id = given.user_id
      where ${isDone}
      group by given.user_id
   ), willing as materialized (
     select user_id, row_number() over (order by place) as nth from judged where result = 'done'
   ), newcomers as materialized (
     select user_id, ${roleOfNewcomer} as role, nth from willing cross join c where nth <= ${capacity} - member_count
   ), ${enrol}
   select outcome, judged.user_id, case
            when result <> 'done' then result
            when newcomers.user_id is null then 'conversation_full' else 'added' end as result
     from verdict left join judged on true left join newcomers on newcomers.user_id = judged.user_id
    order by place`,
);

/** SQL: changes the row of the person `$3`, and the conversation with it. `count` changes the number of members. */
const changeOne = (set: string, where: string, count = ''): string => `changed as (
     update members set ${set}, changed_seq = seq + 1
       from c where conversation_id = c.id and user_id = $3 and ${isDone} and ${where}
     returning conversation_id
   ), counted as (
     update conversations set ${count}${takeSeq()} from changed where id = conversation_id
   )`;

export const changeRole = statement<OutcomeRow, [...Values, role: string]>(
  'members.change_role',
  `with ${target}, ${judge(
    'change_roles',
    `when target_role is null then 'member_not_found'
     when ${hasNoSuchRole('$4')} then 'invalid_request'
     when ${isOutranked} or ${isBeyond('$4')} then 'not_permitted'
     when target_role = 'owner' and $4 <> 'owner' and ${isLastOwner('$3')} then 'last_owner'`,
    'left join target on true',
  )}, ${changeOne('role = $4', 'members.role <> $4')}
   select outcome from verdict`,
);

export const removeMember = statement<OutcomeRow, Values>(
  'members.remove',
  `with ${target}, ${judge(
    'remove_members',
    `when target_role is null then 'member_not_found' when ${isOutranked} then 'not_permitted'`,
    'left join target on true',
  )}, ${changeOne('left_at = now()', 'left_at is null', 'member_count = member_count - 1, ')}
   select outcome from verdict`,
);

/** When the last member leaves, the conversation ends. */
export const leave = statement<OutcomeRow, [id: string, me: string]>(
  'members.leave',
  `with ${judge('leave', `when role = 'owner' and member_count > 1 and ${isLastOwner('$2')} then 'last_owner'`)},
   gone as (
     update members set left_at = now(), changed_seq = seq + 1
       from c where conversation_id = c.id and user_id = $2 and ${isDone}
     returning conversation_id
   ), counted as (
     update conversations
        set member_count = member_count - 1, ${takeSeq()},
            deleted_at = case when member_count = 1 then now() end,
            search_title = case when member_count > 1 then search_title end,
            info_seq = case when member_count = 1 then seq + 1 else info_seq end
       from gone where id = conversation_id
   )
   select outcome from verdict`,
);

/** Also of people who never were members. */
export const ban = statement<OutcomeRow, Values>(
  'members.ban',
  `with ${target}, ${judge(
    'ban_members',
    `when $3 = $2 then 'invalid_request'
     when ${isOutranked} then 'not_permitted'
     when banned_at is null and not exists (select from accounts where accounts.user_id = $3) then 'user_not_found'`,
    'left join target on true',
  )}, stored as (
     insert into members (conversation_id, user_id, role, left_at, banned_at, listed_at, changed_seq)
     select c.id, $3, ${roleOfNewcomer}, now(), now(), ${listedAt}, seq + 1 from c where ${isDone}
         on conflict (conversation_id, user_id) do update
        set left_at = coalesce(members.left_at, now()), banned_at = now(), changed_seq = excluded.changed_seq
      where members.banned_at is null
     returning conversation_id
   ), counted as (
     update conversations
        set member_count = member_count - case when exists (select from target where target_role is not null) then 1 else 0 end,
            ${takeSeq()}
       from stored where id = conversation_id
   )
   select outcome from verdict`,
);

export const unban = statement<OutcomeRow, Values>(
  'members.unban',
  `with ${judge('ban_members')}, ${changeOne('banned_at = null', 'banned_at is not null')}
   select outcome from verdict`,
);

/** What an entry did. */
export interface EntryRow {
  readonly outcome: Outcome | 'already_member';
}

/** Of public channels; of others for their members alone, for whom it changes nothing. */
export const join = statement<EntryRow, [id: string, me: string]>(
  'members.join',
  `with ${enter(
    `select ${enterable} from conversations where id = $1 and deleted_at is null`,
    roleOfNewcomer,
    `when is_banned or not is_public or kind <> 'channel' then 'conversation_not_found'`,
  )}
   select outcome from verdict`,
);
