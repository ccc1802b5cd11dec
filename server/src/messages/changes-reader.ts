import type { Changes } from '@messenger/protocol/changes';
import type { Membership } from '@messenger/protocol/members';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import { messageColumns, toMessage, type MessageRow } from './message-rows.ts';

export interface ChangesCall {
  readonly conversationId: string;
  /** The caller, who must be a member. */
  readonly userId: string;
  readonly after: number;
  readonly limit: number;
}

/** `unknown_position`: `after` is larger than the number of changes. */
export type ChangesRefusal = 'conversation_not_found' | 'unknown_position';

/** A state, and the conversation as it is now. Columns of messages are null in other states. */
interface ChangeRow extends MessageRow {
  readonly newest_seq: number;
  readonly last_number: number;
  readonly member_count: number;
  /** Null for the only row of a page without states. */
  readonly what: 'message' | 'member' | 'conversation' | null;
  readonly at_seq: number;
  readonly user_id: string;
  readonly role: Membership['role'];
  readonly joined_at: string;
  readonly left_at: string | null;
  readonly banned: boolean;
  readonly kind: NonNullable<Changes['conversation']>['kind'];
  readonly title: string;
  readonly about: string;
  readonly is_public: boolean;
  readonly created_by: string | null;
  readonly conversation_created_at: string;
  readonly edit_window_seconds: number | null;
}

/**
 * All in one statement, so that a page is of one moment. `picked` has the states with the smallest `changed_seq`, and all of the last one: so
 * none up to there is missing. `conversation` selects it, or no row. Parameters: the conversation, after, limit.
 */
const changesOf = (conversation: string): string =>
  `with c as materialized (
     ${conversation}
   ), picked as materialized (
     select * from (
       (select 'message' as what, number, null::uuid as user_id, changed_seq
          from messages where conversation_id = $1 and changed_seq > $2 order by changed_seq fetch first ($3) rows with ties)
        union all
       (select 'member', null, user_id, changed_seq
          from members where conversation_id = $1 and changed_seq > $2 order by changed_seq fetch first ($3) rows with ties)
        union all
       select 'conversation', null, null, info_seq from c where info_seq > $2
     ) as every
     order by changed_seq fetch first ($3) rows with ties
   )
   select c.seq::float8 as newest_seq, c.last_number::float8, c.member_count, p.what, p.changed_seq::float8 as at_seq,
          m.user_id, m.role, m.joined_at, m.left_at, m.banned_at is not null as banned,
          c.kind, c.title, c.about, c.is_public, c.created_by, c.created_at as conversation_created_at, c.edit_window_seconds,
          ${messageColumns('e')}
     from c
     left join picked p on true
     left join messages e on p.what = 'message' and e.conversation_id = $1 and e.number = p.number
     left join members m on p.what = 'member' and m.conversation_id = $1 and m.user_id = p.user_id
    order by p.changed_seq`;

/** No row for everybody but members. */
const selectChanges = statement<ChangeRow, [conversationId: string, after: number, limit: number, userId: string]>(
  'messages.changes',
  changesOf(`select c.* from members m join conversations c on c.id = m.conversation_id and c.deleted_at is null
      where m.conversation_id = $1 and m.user_id = $4 and m.left_at is null`),
);

const selectChangesForAll = statement<ChangeRow, [conversationId: string, after: number, limit: number]>(
  'messages.changes_for_all',
  changesOf('select * from conversations where id = $1 and deleted_at is null'),
);

function toMembership({ user_id, role, joined_at, left_at, banned, at_seq: seq }: ChangeRow): Membership {
  return { user_id, role, joined_at, left_at, banned, seq };
}

function toInfo(row: ChangeRow, id: string): NonNullable<Changes['conversation']> {
  const { kind, title, about, is_public, created_by, conversation_created_at: created_at, edit_window_seconds } = row;
  return { id, kind, title, about, is_public, created_by, created_at, edit_window_seconds };
}

function pageOf(
  rows: readonly ChangeRow[],
  { conversationId, after, limit }: Omit<ChangesCall, 'userId'>,
): Changes | ChangesRefusal {
  const [first] = rows;
  if (first === undefined) return 'conversation_not_found';
  const { newest_seq: newest, last_number, member_count } = first;
  if (after > newest) return 'unknown_position';
  const states = rows.filter(({ what }) => what !== null);
  const to = states.length < limit ? newest : Math.max(...states.map(({ at_seq: seq }) => seq));
  const info = states.find(({ what }) => what === 'conversation');
  return {
    conversation_id: conversationId,
    from: after,
    to,
    complete: to === newest,
    last_number,
    member_count,
    conversation: info === undefined ? null : toInfo(info, conversationId),
    members: states.filter(({ what }) => what === 'member').map(toMembership),
    messages: states.filter(({ what }) => what === 'message').map(toMessage),
  };
}

const changes = unbatched<ChangesCall, Changes | ChangesRefusal>({
  name: 'messages.changes',
  keyOf: ({ conversationId, userId, after, limit }) => `${conversationId},${userId},${after},${limit}`,
  isDoubtful: (result) => typeof result === 'string',
  one: async (db, call) =>
    pageOf(await db.query(selectChanges, [call.conversationId, call.after, call.limit, call.userId]), call),
});

const changesForAll = unbatched<Omit<ChangesCall, 'userId'>, Changes | ChangesRefusal>({
  name: 'messages.changes_for_all',
  keyOf: ({ conversationId, after, limit }) => `${conversationId},${after},${limit}`,
  isDoubtful: (result) => typeof result === 'string',
  one: async (db, call) =>
    pageOf(await db.query(selectChangesForAll, [call.conversationId, call.after, call.limit]), call),
});

/** Reads what has changed in a conversation, from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class ChangesReader {
  readonly changes: Read<ChangesCall, Changes | ChangesRefusal>;
  /** Knows no rights: for what is sent to those who follow the conversation. */
  readonly changesForAll: Read<Omit<ChangesCall, 'userId'>, Changes | ChangesRefusal>;

  constructor(reads: Reads) {
    this.changes = reads.prepare(changes);
    this.changesForAll = reads.prepare(changesForAll);
  }
}
