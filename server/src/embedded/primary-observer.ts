import type { Endpoint } from '../db/endpoint.ts';
import { findSlot, type SlotState } from './slot.ts';
import { openSession, type Session } from './sql.ts';

/** A primary that takes longer to answer about its slot does not answer. In ms. */
const answerMs = 2_000;

/** Asks the primary about the standby's slot, over one connection that is made again when it breaks. */
export class PrimaryObserver {
  readonly #primary: Endpoint;
  #session: Session | undefined;

  constructor(primary: Endpoint) {
    this.#primary = primary;
  }

  /** The slot, in an object because there may be none; undefined when the primary does not answer. */
  async observe(): Promise<{ readonly slot: SlotState | undefined } | undefined> {
    try {
      this.#session ??= await openSession(this.#primary, answerMs);
      return { slot: await findSlot(this.#session.client) };
    } catch {
      await this.close();
      return undefined;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
