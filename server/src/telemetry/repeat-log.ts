import type { Log } from './log.ts';

/** A log line for one case, or for several with a `count`. */
export interface RepeatedLine {
  readonly level: 'info' | 'warn' | 'error';
  /** Cases with the same key share a line. Has few values: never text from a user or a server. */
  readonly key: string;
  readonly one: string;
  readonly many: string;
}

interface Recent {
  readonly line: RepeatedLine;
  /** The line of the first case that was not logged yet. */
  fields: object | undefined;
  untold: number;
  /** Seconds until the second line, and between later lines. */
  waitSeconds: number;
}

const tickMs = 1_000;
const laterSeconds = 10;

/**
 * Limits repeated log lines, such as the failures during an outage. The first case of a key is logged at once; later ones share a
 * line with their `count`, after a second and then every ten seconds. `close` writes the rest.
 */
export class RepeatLog {
  readonly #log: Log;
  readonly #recent = new Map<string, Recent>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Calls `describe` at once, and only for a case that a line shows. */
  add(line: RepeatedLine, describe: () => object): void {
    const recent = this.#recent.get(line.key);
    if (recent === undefined) {
      this.#log[line.level](describe(), line.one);
      this.#recent.set(line.key, { line, fields: undefined, untold: 0, waitSeconds: 1 });
      this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
      return;
    }
    recent.fields ??= describe();
    recent.untold += 1;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const recent of this.#recent.values()) this.#tell(recent);
    this.#recent.clear();
  }

  #tick(): void {
    for (const [key, recent] of this.#recent) {
      recent.waitSeconds -= 1;
      if (recent.waitSeconds > 0) continue;
      recent.waitSeconds = laterSeconds;
      if (recent.untold === 0) this.#recent.delete(key);
      else this.#tell(recent);
    }
    if (this.#recent.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(recent: Recent): void {
    const { line, fields, untold } = recent;
    if (untold > 0) this.#log[line.level]({ ...fields, count: untold }, line.many);
    recent.fields = undefined;
    recent.untold = 0;
  }
}
