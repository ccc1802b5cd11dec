import type { Log } from './log.ts';

/** A line that can be written for one case, or for several with their `count`. */
export interface RepeatedLine {
  readonly level: 'info' | 'warn' | 'error';
  /** The same for cases that one line may stand for. Of few values: never text that a user or a server wrote. */
  readonly key: string;
  readonly one: string;
  readonly many: string;
}

interface Recent {
  readonly line: RepeatedLine;
  /** Of the first case that has no line yet. */
  fields: object | undefined;
  untold: number;
  /** Seconds until the next line may be written, and between the lines after that. */
  waitSeconds: number;
}

const tickMs = 1_000;
const laterSeconds = 10;

/**
 * Bounds the lines of what happens again and again, such as the failures of an outage: the first case of a key has a line at once;
 * those that follow share one line with their `count`, after a second and then each ten seconds. `close` writes the rest.
 */
export class RepeatLog {
  readonly #log: Log;
  readonly #recent = new Map<string, Recent>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** `describe` is called at once for a case that a line shows, and else not at all. */
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
