import type { MeasuredWorker } from '../telemetry/collector.ts';
import type { WorkerReport } from './messages.ts';
import type { Service } from './service.ts';
import type { WorkerCounts } from './workers.ts';
import type { Served } from './worker-process.ts';

/** The worker of ENABLE_PREFORK=false, in the process of the supervisor. */
export class InProcessWorker implements Service {
  readonly name = 'worker';
  readonly #serve: () => Promise<Served>;
  #served: Served | undefined;

  constructor(serve: () => Promise<Served>) {
    this.#serve = serve;
  }

  get report(): WorkerReport {
    return this.#served?.report ?? { routes: [] };
  }

  get counts(): WorkerCounts {
    const serving = this.#served === undefined ? 0 : 1;
    return { expected: 1, serving, accepting: serving, restarts: 0 };
  }

  async measure(): Promise<readonly MeasuredWorker[]> {
    return this.#served === undefined
      ? []
      : [{ id: 1, worker: 1, pid: process.pid, measurement: this.#served.measure() }];
  }

  admitWrites(): void {
    this.#served?.admitWrites();
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#served = await this.#serve();
    await this.#served.accept([]);
    signal.throwIfAborted();
  }

  async stop(signal: AbortSignal): Promise<void> {
    await this.#served?.stop(signal, false);
    this.#served = undefined;
  }
}
