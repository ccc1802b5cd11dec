/** The SQL that makes people members: by those who add them, and by themselves. */
import { channelMembersMax, groupMembersMax } from '@messenger/protocol/limits';
import { conversationKinds, roleOfNewcomers } from '@messenger/protocol/rights';

import { isDone, listedAt, takeSeq } from './verdicts.ts';

/** SQL: the most members of a conversation in `c`. */
export const capacity = `case kind when 'channel' then ${channelMembersMax} else ${groupMembersMax} end`;

/** SQL: the role of who joins a conversation in `c`. */
export const roleOfNewcomer = `case kind ${conversationKinds.map((kind) => `when '${kind}' then '${roleOfNewcomers[kind]}'`).join(' ')} end`;

/**
 * SQL: stores those in `newcomers` (`user_id`, `role`, and `nth` from 1) as members of the conversation in `c`. Nothing is unread for them,
 * and who comes back starts anew.
 */
export const enrol = `stored as (
     insert into members (conversation_id, user_id, role, read_number, listed_at, changed_seq)
     select c.id, newcomers.user_id, newcomers.role, last_number, ${listedAt}, seq + nth from newcomers cross join c
         on conflict (conversation_id, user_id) do update
        set role = excluded.role, joined_at = now(), left_at = null, read_number = excluded.read_number, muted_until = null,
            pinned = false, archived = false, listed_at = excluded.listed_at, changed_seq = excluded.changed_seq
   ), counted as (
     update conversations set member_count = member_count + n, ${takeSeq('n')}
       from (select count(*)::int as n from newcomers) as newcomers
      where id = (select id from c) and n > 0
   )`;

/**
 * SQL: one person, `$2`, enters the conversation in `found` by own will. `outcome` is the case that refuses it, of SQL like
 * `when … then 'code'`. Members stay as they are.
 */
export function enter(found: string, role: string, refusals: string): string {
  return `c as materialized (
     select found.*, user_id is not null and left_at is null as is_member, banned_at is not null as is_banned
       from (${found}) as found left join members on conversation_id = found.id and user_id = $2
   ), verdict as materialized (
     select coalesce((
       select case when is_member then 'already_member' ${refusals}
                   when member_count >= ${capacity} then 'conversation_full' else 'done' end from c
     ), 'conversation_not_found') as outcome
   ), newcomers as (
     select $2::uuid as user_id, ${role} as role, 1 as nth from c where ${isDone}
   ), ${enrol}`;
}

/** SQL: the columns of a conversation that `enter` needs. */
export const enterable = 'id, kind, is_public, seq, member_count, last_number, active_at';
