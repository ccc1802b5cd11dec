import type { Invite, InviteCreation } from '@messenger/protocol/invites';

import type { SeparateWrites } from '../db/separate-writes.ts';
import type { Queryable } from '../db/statement.ts';
import type { Write } from '../db/writes.ts';
import type { ViewCall } from './conversation-reader.ts';
import { toConversation } from './conversation-rows.ts';
import { acceptInvite, createInvite, lockByInvite, revokeInvite, viewByInvite } from './invite-statements.ts';
import type { Entry } from './member-writer.ts';
import { lockConversation, type Outcome } from './verdicts.ts';

export interface NewInvite extends ViewCall {
  readonly code: string;
  readonly wanted: InviteCreation;
}

/** `invite` only with the outcome `done`. */
export interface Invited {
  readonly outcome: Outcome | undefined;
  readonly invite: Invite | undefined;
}

export interface InviteCall {
  readonly code: string;
  readonly me: string;
}

async function create(db: Queryable, { id, me, code, wanted }: NewInvite): Promise<Invited> {
  const { role, max_uses: maxUses, expires_in_seconds: seconds } = wanted;
  const [, [row]] = await Promise.all([
    db.query(lockConversation, [id]),
    db.query(createInvite, [id, me, code, role, maxUses, seconds]),
  ]);
  if (row?.outcome !== 'done') return { outcome: row?.outcome, invite: undefined };
  const { outcome, ...invite } = row;
  return { outcome, invite };
}

async function revoke(db: Queryable, { id, me, code }: InviteCall & ViewCall): Promise<Outcome | undefined> {
  const [, [row]] = await Promise.all([db.query(lockConversation, [id]), db.query(revokeInvite, [id, me, code])]);
  return row?.outcome;
}

async function accept(db: Queryable, { code, me }: InviteCall): Promise<Entry> {
  const [, [row], [seen]] = await Promise.all([
    db.query(lockByInvite, [code]),
    db.query(acceptInvite, [code, me]),
    db.query(viewByInvite, [code, me]),
  ]);
  const outcome = row?.outcome ?? 'invite_not_found';
  const isUnknown = outcome === 'conversation_not_found';
  return { outcome: isUnknown ? 'invite_not_found' : outcome, conversation: seen && toConversation(seen) };
}

/** Writes invites, under the lock of their conversation. Rejects as `Pool` does. */
export class InviteWriter {
  readonly create: Write<NewInvite, Invited>;
  readonly revoke: Write<InviteCall & ViewCall, Outcome | undefined>;
  readonly accept: Write<InviteCall, Entry>;

  constructor(writes: SeparateWrites) {
    this.create = writes.prepare(create);
    this.revoke = writes.prepare(revoke);
    this.accept = writes.prepare(accept);
  }
}
