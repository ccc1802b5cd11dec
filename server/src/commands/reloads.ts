import { writeReloads, type Reloads } from '../run-folder.ts';
import type { RecordEvent } from '../telemetry/events.ts';
import type { Log } from '../telemetry/log.ts';
import { refusalOf } from './refusal.ts';

export interface ReloadLoopOptions {
  /** Resolves with the names of the changed options; rejects with the reason when the reload is refused. */
  readonly reload: () => Promise<readonly string[]>;
  /** The file in which `messenger reload` finds the outcome. */
  readonly folder: string | undefined;
  readonly record: RecordEvent;
  readonly log: Log;
}

interface Outcome {
  readonly isGood: boolean;
  readonly text: string;
}

/**
 * Reloads on request, one at a time. Requests during a reload cause one more, so that the newest files are always read. A failed
 * reload is logged and changes nothing.
 */
export class ReloadLoop {
  readonly #options: ReloadLoopOptions;
  readonly #started = Promise.withResolvers<void>();
  #reloads: Reloads = { begun: 0, done: 0, isGood: true, text: '' };
  #isWanted = false;
  #isRunning = false;

  constructor(options: ReloadLoopOptions) {
    this.#options = options;
  }

  /** Call when the server is ready: pending requests start now. */
  async start(): Promise<void> {
    await this.#save(this.#reloads);
    this.#started.resolve();
  }

  request(): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await this.#started.promise;
    while (this.#isWanted) {
      this.#isWanted = false;
      const begun = this.#reloads.begun + 1;
      await this.#save({ ...this.#reloads, begun });
      await this.#save({ begun, done: begun, ...(await this.#attempt()) });
    }
    this.#isRunning = false;
  }

  async #attempt(): Promise<Outcome> {
    const { reload, log, record } = this.#options;
    log.info('reloading the configuration');
    record({ kind: 'configuration', level: 'info', text: 'A reload of the configuration began' });
    try {
      const changed = await reload();
      log.info({ changed }, 'the configuration was reloaded');
      const text = `Reloaded; ${changed.length === 0 ? 'no option has changed' : `changed: ${changed.join(', ')}`}`;
      record({ kind: 'configuration', level: 'info', text });
      return { isGood: true, text };
    } catch (error) {
      const reason = refusalOf(error);
      if (reason === undefined) log.error({ err: error }, 'the reload failed');
      else log.error({ reason }, 'the reload was refused');
      record({ kind: 'configuration', level: 'warn', text: 'A reload was refused; the log has the reason' });
      return { isGood: false, text: reason ?? 'The reload failed by a defect; the log has its stack.' };
    }
  }

  async #save(reloads: Reloads): Promise<void> {
    const { folder, log } = this.#options;
    this.#reloads = reloads;
    if (folder === undefined) return;
    // A full disk must not end the server.
    await writeReloads(folder, reloads).catch((err: unknown) =>
      log.warn({ err }, 'the result of the reload could not be recorded'),
    );
  }
}
