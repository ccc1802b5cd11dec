import type { Message } from '@messenger/protocol/messages';

import type { Write, Writes } from '../db/writes.ts';
import { remove, type Deletion, type DeletionOutcome } from './deletions.ts';
import { edit, type Edit, type EditRefusal } from './edits.ts';
import { pin, type Pin, type PinOutcome } from './pins.ts';
import { react, unreact, type ReactionChange, type ReactionOutcome } from './reaction-changes.ts';
import type { SendRefusal } from './send-statements.ts';
import { send, type Send, type Sent } from './sends.ts';

/** Writes messages, on the primary, under the lock of their conversation. Rejects as `Writes` does. */
export class MessageWriter {
  readonly send: Write<Send, Sent | SendRefusal>;
  /** Resolves with the new state. */
  readonly edit: Write<Edit, Message | EditRefusal>;
  readonly pin: Write<Pin, PinOutcome>;
  readonly react: Write<ReactionChange, ReactionOutcome>;
  readonly unreact: Write<ReactionChange, ReactionOutcome>;
  readonly delete: Write<Deletion, DeletionOutcome>;

  constructor(writes: Writes) {
    this.send = writes.prepare(send);
    this.edit = writes.prepare(edit);
    this.pin = writes.prepare(pin);
    this.react = writes.prepare(react);
    this.unreact = writes.prepare(unreact);
    this.delete = writes.prepare(remove);
  }
}
