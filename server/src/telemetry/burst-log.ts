import type { Log } from './log.ts';

/** At most so many kinds are told apart; further ones are left out. */
const mostKinds = 100;

export interface BurstLogOptions {
  /** Of the first line of each kind, and of those that follow with their `count`. */
  readonly message: string;
  readonly everyMs: number;
}

/**
 * Bounds the lines about something that happens again and again: the first of its kind is logged at once, those that follow
 * in one line each `everyMs` with their `count` and the fields of the newest. `close` logs the rest.
 */
export class BurstLog {
  readonly #log: Log;
  readonly #options: BurstLogOptions;
  readonly #kinds = new Map<string, { newest: object; count: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, options: BurstLogOptions) {
    this.#log = log;
    this.#options = options;
  }

  add(kind: string, fields: object): void {
    const known = this.#kinds.get(kind);
    if (known !== undefined) {
      known.newest = fields;
      known.count += 1;
    } else if (this.#kinds.size < mostKinds) {
      this.#log.warn(fields, this.#options.message);
      this.#kinds.set(kind, { newest: fields, count: 0 });
      this.#timer ??= setInterval(() => this.#tell(), this.#options.everyMs).unref();
    }
  }

  close(): void {
    this.#tell();
    clearInterval(this.#timer);
  }

  #tell(): void {
    for (const [kind, { newest, count }] of this.#kinds) {
      if (count === 0) this.#kinds.delete(kind);
      else {
        this.#log.warn({ ...newest, count }, this.#options.message);
        this.#kinds.set(kind, { newest, count: 0 });
      }
    }
    if (this.#kinds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
