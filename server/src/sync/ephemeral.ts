import type { Queryable } from '../db/statement.ts';
import { statement } from '../db/statement.ts';
import type { Turn } from '../lib/turn.ts';

/** What workers tell each other, and nobody stores. Routed by `key` to the workers that follow it. */
export type Ephemeral =
  | {
      readonly key: string;
      readonly kind: 'typing';
      readonly conversation_id: string;
      readonly user_id: string;
      /** People whom the typist blocks. */
      readonly hidden: readonly string[];
    }
  /** Some worker wants to know whether this person is here. */
  | { readonly key: string; readonly kind: 'ask'; readonly user_id: string }
  | {
      readonly key: string;
      readonly kind: 'presence';
      readonly user_id: string;
      readonly worker: string;
      readonly state: WorkerState;
    };

/** Of a person at one worker. */
export type WorkerState = 'online' | 'away' | 'offline';

export const ephemeralPrefix = 'messenger';

/** Messages that wait for a statement; further ones are lost, as ephemeral ones may be. */
const maxWaiting = 1_000;

/** Only the last one flushes the log: it is read up to what is flushed. */
const emitAll = statement<never, [contents: readonly string[]]>(
  'sync.emit',
  `select pg_logical_emit_message(false, '${ephemeralPrefix}', content, place = cardinality($1::text[]))
     from unnest($1::text[]) with ordinality as g (content, place) order by place`,
);

/** Sends the messages of an event-loop turn in one statement, one statement at a time. */
export class Emitter {
  readonly #primary: Queryable;
  readonly #turn: Turn;
  #waiting: string[] = [];
  #isSending = false;

  constructor(primary: Queryable, turn: Turn) {
    this.#primary = primary;
    this.#turn = turn;
  }

  emit(message: Ephemeral): void {
    if (this.#waiting.length >= maxWaiting) return;
    if (this.#waiting.push(JSON.stringify(message)) === 1 && !this.#isSending)
      this.#turn.atEnd(() => void this.#send());
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const contents = this.#waiting;
      this.#waiting = [];
      // Without a primary, they are lost.
      await this.#primary.query(emitAll, [contents]).catch(() => undefined);
    }
    this.#isSending = false;
  }
}
