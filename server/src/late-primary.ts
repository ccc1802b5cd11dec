import { describeFailure } from './db/errors.ts';
import { backOff } from './lib/backoff.ts';
import type { Service } from './process/service.ts';
import type { RecordEvent } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import { RepeatLog } from './telemetry/repeat-log.ts';

export interface LatePrimaryOptions<Found> {
  /** Whether the server runs without the primary. Evaluated at the start. */
  readonly isMissing: () => boolean;
  /** Resolves when the primary answers and is prepared as at a start. */
  readonly prepare: (signal: AbortSignal) => Promise<Found>;
  /** Lets the workers write. */
  readonly adopt: (found: Found) => Promise<void>;
  readonly record: RecordEvent;
  readonly random: () => number;
  readonly log: Log;
}

const delays = { baseMs: 250, maxMs: 10_000 };
const failureText = 'the primary answers, but cannot be used; retrying';
const failureLine = { level: 'error', key: 'late primary', one: failureText, many: failureText } as const;

/**
 * Prepares a primary that was unavailable at the start, once it answers. Problems found then do not end the server:
 * reads continue.
 */
export class LatePrimary<Found> implements Service {
  readonly name = 'late primary';
  readonly #options: LatePrimaryOptions<Found>;
  #ending = new AbortController();
  #adopting: Promise<void> = Promise.resolve();

  constructor(options: LatePrimaryOptions<Found>) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#ending = new AbortController();
    if (this.#options.isMissing()) void this.#follow(this.#ending.signal);
  }

  /** Resolves when nothing will be adopted any more. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#adopting.catch(() => undefined);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const failures = new RepeatLog(this.#options.log);
    for (let attempt = 1; !(await this.#attempt(signal, failures)); attempt += 1)
      await backOff({ ...delays, random: this.#options.random }, attempt, signal).catch(() => undefined);
    failures.close();
  }

  /** Whether it is complete. */
  async #attempt(signal: AbortSignal, failures: RepeatLog): Promise<boolean> {
    const { prepare, adopt, record, log } = this.#options;
    try {
      const found = await prepare(signal);
      if (signal.aborted) return true;
      await (this.#adopting = adopt(found));
      log.info('the primary is available: writes are served');
      record({
        kind: 'database',
        level: 'info',
        text: 'The primary, which was unavailable at the start, accepts writes',
      });
      return true;
    } catch (error) {
      if (!signal.aborted) failures.add(failureLine, () => ({ reason: describeFailure(error) }));
      return signal.aborted;
    }
  }
}
