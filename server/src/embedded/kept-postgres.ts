import { setTimeout as sleep } from 'node:timers/promises';

import type { RestartBudget } from '../lib/restart-budget.ts';
import type { Log } from '../telemetry/log.ts';
import { messageOf } from './error-code.ts';
import type { PostgresProcess } from './postgres-process.ts';
import { within } from './wait.ts';

export interface KeepOptions {
  readonly name: string;
  readonly launch: (signal: AbortSignal) => Promise<PostgresProcess>;
  readonly budget: RestartBudget;
  readonly log: Log;
  /** The process died more often than the budget allows and stays down. Called at most once. */
  readonly onExhausted: (reason: string) => void;
}

/** How long a restart may recover from a crash before it counts as another crash. In ms. */
const recoveryMs = 120_000;
/** How long a restart that nobody wants any more may take to end. In ms. */
const unwantedMs = 5_000;

/** One server that is started again when it dies. Starts once, stops once. */
export class KeptPostgres {
  readonly #options: KeepOptions;
  readonly #ending = new AbortController();
  #process: PostgresProcess | undefined;
  /** From the first launch until the process has ended for good. Never rejects. */
  #life: Promise<void> = Promise.resolve();

  constructor(options: KeepOptions) {
    this.#options = options;
  }

  /** The pid of the server while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when the server accepts connections. A server that does not start the first time is not tried again. */
  async start(signal: AbortSignal): Promise<void> {
    const first = this.#launch(signal);
    this.#life = first.then(
      (running) => this.#keep(running),
      () => {},
    );
    await first;
  }

  /** Resolves when the server accepts connections, or has been tried as often as the budget allows, or is stopped. */
  async startPatiently(): Promise<void> {
    const first = this.#launch(this.#ending.signal).catch((error: unknown) => this.#restart(messageOf(error)));
    this.#life = first.then((running) => this.#keep(running));
    await first;
  }

  /** Resolves when the server has ended, and will not be started again. At once when the signal aborts. */
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

  /** The next process, or undefined when there shall be none. */
  async #restart(crash: string): Promise<PostgresProcess | undefined> {
    const { name, log, budget, onExhausted } = this.#options;
    let reason = crash;
    while (!this.#ending.signal.aborted) {
      const delayMs = budget.crashed();
      if (delayMs === undefined) {
        onExhausted(reason);
        return undefined;
      }
      log.warn({ reason, delayMs }, `the ${name} ended unexpectedly; starting it again`);
      try {
        return await this.#launchAfter(delayMs);
      } catch (error) {
        reason = messageOf(error);
      }
    }
    return undefined;
  }

  async #launchAfter(delayMs: number): Promise<PostgresProcess> {
    const { signal } = this.#ending;
    await sleep(delayMs, undefined, { signal });
    const launched = await this.#launch(signal);
    this.#options.log.info({ pid: launched.pid }, `the ${this.#options.name} is back`);
    return launched;
  }
}
