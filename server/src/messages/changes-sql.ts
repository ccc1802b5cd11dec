/** SQL that is common to the changes of one message. */
import { lockedConversations } from '../conversations/conversations-sql.ts';

/**
 * Joins calls `g` (conversation_id, number, user_id) with `c`, `m` and `e`: the conversation, the caller's membership, the message. A
 * conversation counts as absent unless this transaction has locked it.
 */
export const joinMessages = `
       left join conversations c on c.id = g.conversation_id and c.deleted_at is null and c.id = any (${lockedConversations})
       left join members m on m.conversation_id = c.id and m.user_id = g.user_id and m.left_at is null
       left join messages e on e.conversation_id = c.id and e.number = g.number`;

/** Whether there is a message with content. */
export const isThere = 'e.number is not null and e.deleted_at is null';

/** Each change takes the next `seq` of its conversation. */
export const nextSeq = 'seq + row_number() over (partition by conversation_id order by place) as new_seq';

/** Counts the changes, rows with `new_seq`, in their conversations. `also` sets further columns of `c`. */
export function countChanges(changes: string, also = ''): string {
  return `update conversations c
        set seq = n.new_seq, changed_at = now()${also}
       from (select conversation_id, max(new_seq) as new_seq from ${changes} group by conversation_id) n
      where c.id = n.conversation_id`;
}
