import type { Conversation } from '@messenger/protocol/conversations';
import type { AdditionResult, MemberWithUser } from '@messenger/protocol/members';

import type { SeparateWrites } from '../db/separate-writes.ts';
import type { Queryable, Statement } from '../db/statement.ts';
import type { Write } from '../db/writes.ts';
import type { ViewCall } from './conversation-reader.ts';
import { toConversation } from './conversation-rows.ts';
import { view } from './conversation-statements.ts';
import { toMember } from './member-rows.ts';
import {
  addMembers,
  ban,
  changeRole,
  join,
  leave,
  removeMember,
  unban,
  viewMember,
  type EntryRow,
} from './member-statements.ts';
import { lockConversation, type Outcome, type OutcomeRow } from './verdicts.ts';

/** A change of one person by another one. */
export interface MemberCall extends ViewCall {
  readonly userId: string;
}

export interface Additions {
  readonly outcome: Outcome;
  readonly results: AdditionResult[];
}

/** `conversation` as the caller sees it then; undefined when it does not. */
export interface Entry {
  readonly outcome: EntryRow['outcome'];
  readonly conversation: Conversation | undefined;
}

type Simple = Statement<OutcomeRow, [id: string, me: string, userId: string]>;

const changeOf =
  (wanted: Simple) =>
  async (db: Queryable, { id, me, userId }: MemberCall): Promise<Outcome | undefined> => {
    const [, [row]] = await Promise.all([db.query(lockConversation, [id]), db.query(wanted, [id, me, userId])]);
    return row?.outcome;
  };

async function add(db: Queryable, call: ViewCall & { readonly userIds: readonly string[] }): Promise<Additions> {
  const { id, me, userIds } = call;
  const [, rows] = await Promise.all([db.query(lockConversation, [id]), db.query(addMembers, [id, me, userIds])]);
  const results = rows.flatMap(({ user_id: user, result }) =>
    user === null ? [] : [{ user_id: user, outcome: result }],
  );
  return { outcome: rows[0]?.outcome ?? 'conversation_not_found', results };
}

type RoleCall = MemberCall & { readonly role: string };

async function setRole(db: Queryable, { id, me, userId, role }: RoleCall) {
  const [, [row], [member]] = await Promise.all([
    db.query(lockConversation, [id]),
    db.query(changeRole, [id, me, userId, role]),
    db.query(viewMember, [id, userId]),
  ]);
  return { outcome: row?.outcome, member: member && toMember(member) };
}

async function leaveIt(db: Queryable, { id, me }: ViewCall): Promise<Outcome | undefined> {
  const [, [row]] = await Promise.all([db.query(lockConversation, [id]), db.query(leave, [id, me])]);
  return row?.outcome;
}

async function joinIt(db: Queryable, { id, me }: ViewCall): Promise<Entry> {
  const [, [row], [seen]] = await Promise.all([
    db.query(lockConversation, [id]),
    db.query(join, [id, me]),
    db.query(view, [id, me]),
  ]);
  return { outcome: row?.outcome ?? 'conversation_not_found', conversation: seen && toConversation(seen) };
}

/** Writes members. Each change holds the lock of the conversation, and checks rights under it. Rejects as `Pool` does. */
export class MemberWriter {
  readonly add: Write<ViewCall & { readonly userIds: readonly string[] }, Additions>;
  readonly setRole: Write<
    RoleCall,
    { readonly outcome: Outcome | undefined; readonly member: MemberWithUser | undefined }
  >;
  readonly remove: Write<MemberCall, Outcome | undefined>;
  readonly leave: Write<ViewCall, Outcome | undefined>;
  readonly ban: Write<MemberCall, Outcome | undefined>;
  readonly unban: Write<MemberCall, Outcome | undefined>;
  readonly join: Write<ViewCall, Entry>;

  constructor(writes: SeparateWrites) {
    this.add = writes.prepare(add);
    this.setRole = writes.prepare(setRole);
    this.remove = writes.prepare(changeOf(removeMember));
    this.leave = writes.prepare(leaveIt);
    this.ban = writes.prepare(changeOf(ban));
    this.unban = writes.prepare(changeOf(unban));
    this.join = writes.prepare(joinIt);
  }
}
