/** The SQL that every statement about conversations and messages contains. */
import { conversationKinds, mayDo, memberRoles, type Action } from '@messenger/protocol/rights';

import type { RowLocks } from '../db/row-locks.ts';
import { statement } from '../db/statement.ts';

/** The ids of the rows that this transaction has locked by `conversationLocks`, for its later statements. */
const lockedSetting = 'messenger.locked_conversations';

const keep = `set_config('${lockedSetting}', coalesce(string_agg(id::text, ','), ''), true)`;

/** SQL: an array with the ids of the conversations that this transaction has locked. A subquery, so that it is computed once. */
export const lockedConversations = `array(select unnest(string_to_array(current_setting('${lockedSetting}'), ',')::uuid[]))`;

const wanted = 'select id from conversations where id = any ($1::uuid[])';

/**
 * Later statements of the transaction use `lockedConversations` in place of locking again: a row that becomes free between the two would be
 * locked with a snapshot that is older than the lock.
 */
export const conversationLocks: RowLocks = {
  name: 'conversations',
  free: statement(
    'conversations.lock_free',
    `with locked as materialized (
       ${wanted} order by id for no key update skip locked
     ), kept as materialized (
       select count(*) as count, ${keep} from locked
     )
     select array(${wanted} and kept.count < cardinality($1::uuid[]) and id not in (select id from locked))::text[] as held
       from kept`,
  ),
  waiting: statement(
    'conversations.lock',
    `with locked as materialized (
       ${wanted} order by id for no key update
     ), kept as materialized (
       select ${keep} from locked
     )
     select '{}'::text[] as held from kept`,
  ),
};

/** SQL: whether a member's role permits an action in this kind of conversation. */
export function permits(action: Action, kind: string, role: string): string {
  const pairs = conversationKinds.flatMap((one) =>
    memberRoles.filter((least) => mayDo(action, one, least)).map((least) => `${one} ${least}`),
  );
  return `(${kind} || ' ' || ${role} = any ('{${pairs.map((pair) => `"${pair}"`).join(',')}}'))`;
}

/** In `mentions`, the user that stands for all members: `@all`. */
export const everyone = '00000000-0000-0000-0000-000000000000';

/** Precedes every id: the cursor of a first page. A null instead would keep a generic plan from starting at the cursor. */
export const beforeAll = '00000000-0000-0000-0000-000000000000';

/** SQL: the hour of a time, independent of the time zone of the session. `members.listed_at` has it. */
export function hourOf(time: string): string {
  return `date_bin('1 hour', ${time}, 'epoch')`;
}

/**
 * SQL: the unread messages that mention a member `h` or everybody, except own ones and those of people whom the member blocks; at most 100.
 * With a parameter for the member's id, the blocks are read once, and not for each conversation.
 */
export function unreadMentions(userId: string): string {
  return `select count(*)::int as unread_mentions from (
         select distinct x.number from mentions as x
          where x.user_id in (h.user_id, '${everyone}') and x.conversation_id = h.id and x.number > h.read_number
            and h.last_number > h.read_number and x.sender_id <> h.user_id
            and x.sender_id <> all (array(select blocked_id from blocks where blocks.user_id = ${userId}))
          limit 100
       ) as unread`;
}
