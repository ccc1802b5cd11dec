import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { messageOf } from '../lib/error-code.ts';
import type { PostgresProcess } from './postgres-process.ts';
import { faultTexts, findStorageFault, type StorageFault } from './storage-fault.ts';
import { within } from './wait.ts';

/** Why a server is down. */
export interface Failure {
  /** As reported by the server. */
  readonly reason: string;
  readonly kind: StorageFault | 'crash';
  /** Successive failures to start or to run for a minute. */
  readonly count: number;
}

export interface KeepOptions {
  readonly name: string;
  readonly launch: (signal: AbortSignal) => Promise<PostgresProcess>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each failure, before the next attempt. */
  readonly onFailure?: (failure: Failure) => void;
  /** Called each time that the server accepts connections. */
  readonly onUp?: () => void;
}

/** Time for crash recovery; a longer restart counts as another crash. */
const recoveryMs = 120_000;
/** Time for a restart that is no longer needed to end. */
const unwantedMs = 5_000;
/** After this long, a failure counts as the first one. */
const healthyMs = 60_000;
/** The first restart is immediate; the delay doubles from `baseDelayMs` up to `maxDelayMs`. */
const baseDelayMs = 100;
const maxDelayMs = 10_000;

/** The delay before the restart after the `count`th successive failure. */
export function restartDelayMs(count: number): number {
  return count === 1 ? 0 : Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(count - 2, 16));
}

/**
 * A server that is restarted without limit whenever it ends: a full disk may get room again, and other servers must not
 * end because of it. Starts once, stops once.
 */
export class KeptPostgres {
  readonly #options: KeepOptions;
  readonly #ending = new AbortController();
  #process: PostgresProcess | undefined;
  #failure: Failure | undefined;
  #upSinceMs: number | undefined;
  /** From the first launch until the process has ended permanently. Never rejects. */
  #life: Promise<void> = Promise.resolve();

  constructor(options: KeepOptions) {
    this.#options = options;
  }

  /** The pid of the server while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Why it is down; undefined while it runs, and before its first failure. */
  get failure(): Failure | undefined {
    return this.#process === undefined ? this.#failure : undefined;
  }

  /**
   * Resolves when the server accepts connections; rejects when its first attempt fails. Then it is retried until
   * `stop`.
   */
  async start(signal: AbortSignal): Promise<void> {
    const first = this.#launch(signal);
    this.#life = first.then(
      async (running) => this.#keep(running),
      async (error: unknown) => (signal.aborted ? undefined : this.#keep(await this.#restart(messageOf(error)))),
    );
    await first;
  }

  /** Resolves when the server has ended and will not restart; at once when the signal aborts. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#ending.abort();
    await this.#process?.stop(signal);
    await this.#life;
  }

  async #launch(signal: AbortSignal): Promise<PostgresProcess> {
    const ending = this.#ending.signal;
    const launched = await this.#options.launch(within(AbortSignal.any([signal, ending]), recoveryMs));
    if (ending.aborted) await launched.stop(AbortSignal.timeout(unwantedMs));
    ending.throwIfAborted();
    this.#process = launched;
    this.#upSinceMs = this.#options.clock.now();
    this.#options.onUp?.();
    return launched;
  }

  async #keep(first: PostgresProcess | undefined): Promise<void> {
    let running = first;
    while (running !== undefined) {
      const reason: string = await running.ended;
      this.#process = undefined;
      running = await this.#restart(reason);
    }
  }

  /** The next process, or undefined when the server is being stopped. */
  async #restart(crash: string): Promise<PostgresProcess | undefined> {
    const { name, log } = this.#options;
    let reason = crash;
    while (!this.#ending.signal.aborted) {
      const failure = this.#failed(reason);
      const { count, kind } = failure;
      const delayMs = restartDelayMs(count);
      log.warn({ reason, kind, failures: count, delayMs }, `${describe(name, failure)}; restarting it`);
      try {
        return await this.#launchAfter(delayMs);
      } catch (error) {
        reason = messageOf(error);
      }
    }
    return undefined;
  }

  #failed(reason: string): Failure {
    const { clock, onFailure } = this.#options;
    const upMs = this.#upSinceMs === undefined ? 0 : clock.now() - this.#upSinceMs;
    const count = this.#failure === undefined || upMs >= healthyMs ? 1 : this.#failure.count + 1;
    const failure = { reason, kind: findStorageFault(reason) ?? 'crash', count } as const;
    this.#upSinceMs = undefined;
    this.#failure = failure;
    onFailure?.(failure);
    return failure;
  }

  async #launchAfter(delayMs: number): Promise<PostgresProcess> {
    const { signal } = this.#ending;
    await sleep(delayMs, undefined, { signal });
    const launched = await this.#launch(signal);
    const { name, log } = this.#options;
    log.info({ pid: launched.pid }, `the ${name} is back`);
    return launched;
  }
}

function describe(name: string, { kind }: Failure): string {
  return `the ${name} is down: ${faultTexts[kind]}`;
}
