import type { Write, Writes } from '../db/writes.ts';
import { send, type Send, type Sent, type SendRefusal } from './sends.ts';

/** Writes messages, on the primary, under the lock of their conversation. Rejects as `Writes` does. */
export class MessageWriter {
  readonly send: Write<Send, Sent | SendRefusal>;

  constructor(writes: Writes) {
    this.send = writes.prepare(send);
  }
}
