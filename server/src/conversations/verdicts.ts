import type { ErrorCode } from '@messenger/protocol/errors';
import type { Action } from '@messenger/protocol/rights';

import { statement } from '../db/statement.ts';
import { AppError } from '../lib/app-error.ts';
import { hourOf, permits } from './conversations-sql.ts';

/** What a change did: `done`, also when nothing was to be changed, or the code of its refusal. */
export type Outcome = 'done' | ErrorCode;

/** A row of a change. */
export interface OutcomeRow {
  readonly outcome: Outcome;
}

/** The first statement of every change: later statements of its transaction see what was committed before, and nothing comes between. */
export const lockConversation = statement<never, [id: string]>(
  'conversations.lock_one',
  'select id from conversations where id = $1 for no key update',
);

/**
 * SQL: `c` has the conversation `$1` and the `role` of its member `$2`; it is empty for everybody else. `verdict` has the outcome of their
 * change: the first case that applies, of SQL like `when … then 'code'`, which may use what `joined` adds.
 */
export function judge(action: Action, cases = '', joined = ''): string {
  return `c as materialized (
     select found.id, kind, is_public, seq, member_count, last_number, active_at, role
       from conversations as found join members on conversation_id = found.id
      where found.id = $1 and deleted_at is null and user_id = $2 and left_at is null
   ), verdict as materialized (
     select coalesce((
       select case when not ${permits(action, 'kind', 'role')} then 'not_permitted' ${cases} else 'done' end from c ${joined}
     ), 'conversation_not_found') as outcome
   )`;
}

/** SQL: whether the change is to be made. */
export const isDone = `(select outcome = 'done' from verdict)`;

/** SQL: the columns of `conversations` that a change sets which takes so many values of `seq`. */
export function takeSeq(count = '1'): string {
  return `seq = seq + ${count}, changed_at = now()`;
}

const blocks = (one: string, other: string): string =>
  `exists (select from blocks where blocks.user_id = ${one} and blocked_id = ${other})`;

/**
 * SQL: the code that refuses to involve a person in something of `me`, or `done`. All reasons of the other side have the same code: the blocked
 * cannot tell. A column must be qualified.
 */
export function reach(person: string, me: string): string {
  return `case when ${blocks(me, person)} then 'recipient_blocked'
            when ${blocks(person, me)} or not exists (
              select from accounts where accounts.user_id = ${person} and disabled_at is null
            ) then 'recipient_unavailable' else 'done' end`;
}

/** SQL: `members.listed_at` of a conversation. */
export const listedAt = `case kind when 'channel' then 'infinity' else ${hourOf('active_at')} end`;

/** Throws the refusal. */
export function demand(outcome: Outcome | undefined): void {
  if (outcome === undefined) throw new Error('a change returned no outcome');
  if (outcome !== 'done') throw new AppError(outcome);
}
