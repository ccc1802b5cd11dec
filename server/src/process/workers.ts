import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { RestartBudget } from '../lib/restart-budget.ts';
import type { Collect, Measurement } from '../telemetry/collection.ts';
import type { MeasuredWorker } from '../telemetry/collector.ts';
import type { Occurrence, RecordEvent } from '../telemetry/events.ts';
import type { Log } from '../telemetry/log.ts';
import { defaultHeartbeat, Heartbeat, type HeartbeatLimits } from './heartbeat.ts';
import type { SupervisorMessage, WorkerMessage, WorkerReport } from './messages.ts';
import { Question } from './question.ts';
import type { Service, ServiceState } from './service.ts';

export interface WorkersOptions<Settings> {
  readonly count: number;
  /** The program that each worker runs. */
  readonly exec: string;
  /** What worker `n`, from 1, is told to do. */
  readonly settings: (n: number) => Settings;
  /** Called when workers crash more often than the budget allows. */
  readonly onFatal: (reason: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly heartbeat?: HeartbeatLimits;
  /** What a worker gets that asks for the metrics of all. */
  readonly collect: Collect;
  readonly record: RecordEvent;
}

export interface WorkerCounts {
  readonly expected: number;
  readonly serving: number;
  /** Since the start. */
  readonly restarts: number;
}

/** A worker that serves, and how it is asked. */
interface Measured {
  readonly worker: number;
  readonly pid: number;
  readonly question: Question<Measurement>;
}

const noReason = 'it ended without a reason';

/** How long a worker may take to say what it has counted. */
const measureMs = 900;

/**
 * Worker processes that each listen on the same port. One that dies is replaced at once, while the others go on; one that
 * hangs is killed first. Crashes beyond the budget end the server. Processes come from node:cluster, so that where the
 * system has no `SO_REUSEPORT` they share one listener instead.
 */
export class Workers<Settings> implements Service {
  readonly name = 'workers';
  readonly #options: WorkersOptions<Settings>;
  readonly #budget: RestartBudget;
  readonly #running = new Map<number, Worker>();
  #state: ServiceState = 'stopped';
  readonly #measures = new Map<number, Measured>();
  #restarts = 0;
  #report: WorkerReport = { routes: [] };

  constructor(options: WorkersOptions<Settings>) {
    this.#options = options;
    this.#budget = new RestartBudget(options.clock);
  }

  state(): ServiceState {
    return this.#state;
  }

  /** What the first worker told. */
  get report(): WorkerReport {
    return this.#report;
  }

  /** Process ids by worker number. */
  get pids(): ReadonlyMap<number, number> {
    return new Map([...this.#running].map(([n, { process }]) => [n, process.pid ?? 0]));
  }

  get counts(): WorkerCounts {
    return { expected: this.#options.count, serving: this.#measures.size, restarts: this.#restarts };
  }

  /** What each worker that serves has counted; undefined for one that does not answer. */
  async measure(): Promise<readonly MeasuredWorker[]> {
    const asked = [...this.#measures].map(async ([id, { worker, pid, question }]) => {
      return { id, worker, pid, measurement: await question.ask(measureMs) };
    });
    return await Promise.all(asked);
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#state = 'starting';
    cluster.setupPrimary({ exec: this.#options.exec, args: [], serialization: 'advanced' });
    const numbers = Array.from({ length: this.#options.count }, (_, index) => index + 1);
    const reports = await Promise.all(numbers.map(async (n) => this.#launch(n, signal)));
    this.#report = reports[0] ?? this.#report;
    this.#state = 'running';
    // One may have served, and died before the last one served.
    for (const n of numbers) if (!this.#running.has(n)) void this.#replace(n, 0);
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#state = 'stopping';
    await Promise.all([...this.#running.values()].map(async (worker) => stopWorker(worker, signal)));
    this.#state = 'stopped';
  }

  /** Resolves when the worker serves; rejects with its reason when it ends before that. */
  #launch(n: number, signal: AbortSignal): Promise<WorkerReport> {
    const { promise, resolve, reject } = Promise.withResolvers<WorkerReport>();
    const worker = cluster.fork();
    this.#running.set(n, worker);
    const measure = new Question<Measurement>(() => send(worker, { type: 'measure' }));
    let served = false;
    let reason = noReason;
    worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'hello') send(worker, { type: 'serve', settings: this.#options.settings(n) });
      if (message.type === 'failed') reason = message.reason;
      if (message.type === 'pong') heartbeat.answered();
      if (message.type === 'measured') measure.answered(message.measurement);
      if (message.type === 'collect') void this.#collectFor(worker, message);
      if (message.type === 'ready') {
        served = true;
        this.#measures.set(worker.id, { worker: n, pid: worker.process.pid ?? 0, question: measure });
        heartbeat.serves();
        resolve(message.report);
      }
    });
    const heartbeat = new Heartbeat(
      this.#options.heartbeat ?? defaultHeartbeat,
      () => send(worker, { type: 'ping' }),
      () => {
        reason = 'it did not react any more';
        worker.process.kill('SIGKILL');
      },
    );
    const ended = (code: number, killedBy: string | null): void => {
      heartbeat.stop();
      this.#running.delete(n);
      this.#measures.delete(worker.id);
      measure.end();
      reject(new OperatorError(`Worker ${n} did not start: ${reason}`));
      if (served || this.#state === 'running') this.#exited(n, code, killedBy, reason);
    };
    worker.once('error', (error) => {
      reason = error.message;
      // Such as too many open files: no process was born, so none will exit.
      if (worker.process.pid === undefined) ended(1, null);
    });
    worker.once('exit', ended);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    return promise;
  }

  #exited(n: number, code: number, killedBy: string | null, reason: string): void {
    if (this.#state !== 'running') return;
    // A worker that ended in good order was asked to, by somebody's SIGTERM: that is no crash.
    const delayMs = code === 0 ? 0 : this.#budget.crashed();
    this.#options.log.warn({ worker: n, code, signal: killedBy, reason, restartInMs: delayMs }, 'a worker ended');
    this.#options.record(describeEnd(n, code, killedBy, reason));
    if (delayMs === undefined) {
      this.#state = 'failed';
      this.#options.onFatal('workers crash too often');
      return;
    }
    this.#restarts += 1;
    void this.#replace(n, delayMs);
  }

  async #collectFor(worker: Worker, { question, maxAgeMs }: { question: number; maxAgeMs: number }): Promise<void> {
    const { collect, log } = this.#options;
    try {
      send(worker, { type: 'collected', question, collection: await collect(maxAgeMs) });
    } catch (err) {
      // The worker's question ends by its deadline.
      log.error({ err }, 'what all have counted could not be collected');
    }
  }

  async #replace(n: number, delayMs: number): Promise<void> {
    if (delayMs > 0) await sleep(delayMs);
    if (this.#state !== 'running') return;
    const beganMs = this.#options.clock.now();
    try {
      await this.#launch(n, neverAborts);
      const tookMs = Math.round(this.#options.clock.now() - beganMs);
      this.#options.log.info({ worker: n, tookMs }, 'a new worker serves');
    } catch (error) {
      // Its exit was counted and logged, and has led to the next attempt. Only a fork that throws, for want of memory, has none.
      if (!(error instanceof OperatorError)) this.#exited(n, 1, null, String(error));
    }
  }
}

function describeEnd(n: number, code: number, killedBy: string | null, reason: string): Occurrence {
  const how = killedBy === null ? `with exit code ${code}` : `by ${killedBy}`;
  const why = reason === noReason ? '' : `: ${reason}`;
  return { kind: 'worker', level: code === 0 ? 'info' : 'warn', text: `Worker ${n} ended ${how}${why}` };
}

const neverAborts = new AbortController().signal;

function send<Settings>(worker: Worker, message: SupervisorMessage<Settings>): void {
  // The channel may close while we write; the exit that follows is what counts.
  worker.process.send(message, undefined, undefined, () => undefined);
}

async function stopWorker(worker: Worker, signal: AbortSignal): Promise<void> {
  const exited = once(worker, 'exit');
  if (worker.isDead()) return;
  const kill = (): void => void worker.process.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  else send(worker, { type: 'drain' });
  await exited;
  signal.removeEventListener('abort', kill);
}
