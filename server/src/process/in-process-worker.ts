import type { MeasuredWorker } from '../telemetry/collector.ts';
import type { WorkerReport } from './messages.ts';
import type { Service, ServiceState } from './service.ts';
import type { WorkerCounts } from './workers.ts';
import type { Served } from './worker-process.ts';

/** The same worker without a process of its own. */
export class InProcessWorker implements Service {
  readonly name = 'worker';
  readonly #serve: () => Promise<Served>;
  #served: Served | undefined;
  #state: ServiceState = 'stopped';

  constructor(serve: () => Promise<Served>) {
    this.#serve = serve;
  }

  state(): ServiceState {
    return this.#state;
  }

  get report(): WorkerReport {
    return this.#served?.report ?? { routes: [] };
  }

  get counts(): WorkerCounts {
    return { expected: 1, serving: this.#state === 'running' ? 1 : 0, restarts: 0 };
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
    this.#state = 'starting';
    this.#served = await this.#serve();
    signal.throwIfAborted();
    this.#state = 'running';
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#state = 'stopping';
    await this.#served?.stop(signal, false);
    this.#state = 'stopped';
  }
}
