import { statement, type Queryable } from '../db/statement.ts';
import { sweepSize } from '../db/sweeper.ts';

interface RemovedRow {
  readonly removed: number;
}

const oldestDeleted = `(
       select id from conversations where deleted_at is not null order by deleted_at, id limit 1
     )`;

/** Some rows of the conversation that was deleted first. They belong to nobody, so their order does not matter. */
const removeFrom = (table: string) =>
  statement<RemovedRow>(
    `conversations.sweep_${table}`,
    `with gone as (
       delete from ${table} where ctid = any (array (
         select ctid from ${table} where conversation_id = ${oldestDeleted} limit ${sweepSize}
       )) returning 1
     )
     select count(*)::int as removed from gone`,
  );

/** In the order of the tables: the row of the conversation is the last, and so nothing of it is left behind. */
const steps = ['reactions', 'message_revisions', 'mentions', 'messages', 'invites', 'members'].map(removeFrom);

const removeConversation = statement<RemovedRow>(
  'conversations.sweep',
  `with gone as (
     delete from conversations where id = ${oldestDeleted} returning 1
   )
   select count(*)::int as removed from gone`,
);

/** Removes rows of deleted conversations. */
export async function sweepConversations(tx: Queryable): Promise<number> {
  for (const step of [...steps, removeConversation]) {
    const removed = (await tx.query(step, []))[0]?.removed ?? 0;
    if (removed > 0) return removed;
  }
  return 0;
}
