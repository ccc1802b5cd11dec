import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { MeasuredWorker } from '../telemetry/collector.ts';
import type { RecordEvent } from '../telemetry/events.ts';
import type { Watch } from '../telemetry/live.ts';
import type { Log } from '../telemetry/log.ts';
import { CrashBackoff } from './crash-backoff.ts';
import { defaultHeartbeat, type HeartbeatLimits } from './heartbeat.ts';
import { ListeningSockets } from './listening-sockets.ts';
import type { WorkerReport } from './messages.ts';
import { systemHasReusePort } from './port.ts';
import type { Service } from './service.ts';
import { WorkerChild, type WorkerEnd } from './worker-child.ts';
import { WorkerDemand } from './worker-demand.ts';

export interface WorkersOptions<Settings> {
  readonly count: number;
  /** The program that each worker runs. */
  readonly exec: string;
  /** The settings of worker `n`, from 1. */
  readonly settings: (n: number) => Settings;
  /** Called when no worker serves and each has crashed too often. */
  readonly onFatal: (reason: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly heartbeat?: HeartbeatLimits;
  /** Answers workers that request data about all processes. */
  readonly watch: Watch;
  readonly record: RecordEvent;
  /** For a new worker of a reload to serve, and for the old one to end. */
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

export interface WorkerCounts {
  readonly expected: number;
  readonly serving: number;
  /** Of the serving ones, those that accept connections. */
  readonly accepting: number;
  /** Since the start. */
  readonly restarts: number;
}

/** The position of a worker. Its process changes. */
interface Slot<Settings> {
  readonly number: number;
  backoff: CrashBackoff;
  /** Undefined between a crash and the restart. */
  child: WorkerChild<Settings> | undefined;
  /** Takes the place of `child` when it serves. */
  successor: WorkerChild<Settings> | undefined;
  servesSinceMs: number | undefined;
}

/**
 * Worker processes that share a port. As many of them as the load needs accept connections (`WorkerDemand`); the others are ready to.
 * One that dies is replaced: at once, then with exponential back-off if it crashes repeatedly. One that hangs is killed
 * first. The server ends when no worker serves and each has exhausted its budget of crashes. node:cluster forks the processes, so that without
 * `SO_REUSEPORT` they share one listener.
 */
export class Workers<Settings> implements Service {
  readonly name = 'workers';
  readonly #options: WorkersOptions<Settings>;
  readonly #slots: readonly Slot<Settings>[];
  /** Every process, including those being replaced. */
  readonly #alive = new Set<WorkerChild<Settings>>();
  readonly #sockets = new ListeningSockets();
  readonly #demand: WorkerDemand;
  #settings: (n: number) => Settings;
  #balancing: NodeJS.Timeout | undefined;
  /** Aborts on `stop`: no restarts from then on. */
  readonly #stopping = new AbortController();
  /** From the end of the start to the stop, or until no worker can serve. */
  #isRunning = false;
  #restarts = 0;
  #report: WorkerReport = { routes: [] };

  constructor(options: WorkersOptions<Settings>) {
    this.#options = options;
    this.#settings = options.settings;
    this.#demand = new WorkerDemand(options.count);
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      number: index + 1,
      backoff: new CrashBackoff(options.random),
      child: undefined,
      successor: undefined,
      servesSinceMs: undefined,
    }));
  }

  /** The report of the first worker. */
  get report(): WorkerReport {
    return this.#report;
  }

  /** Process ids by worker number. */
  get pids(): ReadonlyMap<number, number> {
    return new Map(this.#children.map(({ number, pid }) => [number, pid]));
  }

  get counts(): WorkerCounts {
    const serving = this.#children.filter(({ isServing }) => isServing);
    const accepting = serving.filter(({ accepts }) => accepts).length;
    return { expected: this.#options.count, serving: serving.length, accepting, restarts: this.#restarts };
  }

  /** The metrics of each worker that serves; undefined for one that does not answer. */
  async measure(): Promise<readonly MeasuredWorker[]> {
    const measured = await Promise.all([...this.#alive].map(async (child) => child.measure()));
    return measured.filter((one) => one !== undefined);
  }

  /** Informs all running workers. Those forked later get it with their settings. */
  admitWrites(): void {
    for (const child of this.#alive) child.admitWrites();
  }

  async start(signal: AbortSignal): Promise<void> {
    cluster.setupPrimary({ exec: this.#options.exec, args: [], serialization: 'advanced' });
    const { promise: calledOff, reject } = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    const reports = Promise.all(this.#slots.map(async (slot) => this.#launch(slot).serving));
    [this.#report = this.#report] = await Promise.race([reports, calledOff]);
    await Promise.race([Promise.all(this.#admit()), calledOff]);
    this.#isRunning = true;
    this.#balancing = setInterval(() => this.#balance(), this.#heartbeat.everyMs);
    // One may have served, and died before the last one served.
    for (const slot of this.#slots) if (slot.child === undefined) void this.#replace(slot, 0);
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#isRunning = false;
    clearInterval(this.#balancing);
    this.#stopping.abort(new OperatorError('The server is stopping.'));
    this.#sockets.close();
    const children = [...this.#alive];
    const closed = Promise.all(children.map(async ({ listenersClosed }) => listenersClosed));
    void closed.then(() => {
      for (const child of children) child.allListenersClosed();
    });
    await Promise.all(children.map(async (child) => child.stop(signal)));
  }

  /**
   * Replaces every process, one after the other: the new one starts beside the old one, and accepts connections, if the old one
   * did, before that drains. Rejects with the reason when a new one does not serve; then the old one and those
   * after it continue. `onProven` is called when the first one serves: from then on replacements of crashed workers get
   * the new settings.
   */
  async reload(settings: (n: number) => Settings, onProven: () => void = () => undefined): Promise<void> {
    if (!this.#isRunning) throw new OperatorError('The workers are not running.');
    for (const [index, slot] of this.#slots.entries()) {
      const succeeding = this.#succeed(slot, settings, () => {
        this.#settings = settings;
        if (index === 0) onProven();
      });
      await (index === 0 ? succeeding : succeeding.catch((error: unknown) => throwPartial(error, slot.number)));
    }
  }

  async #succeed(slot: Slot<Settings>, settings: (n: number) => Settings, onServing: () => void): Promise<void> {
    const { startTimeoutMs, stopTimeoutMs } = this.#options;
    const predecessor = slot.child;
    const successor = this.#fork(slot.number, settings);
    slot.successor = successor;
    try {
      await withDeadline(this.#ready(successor, predecessor), startTimeoutMs, this.#stopping.signal);
    } catch (error) {
      successor.kill();
      if (slot.child === undefined) void this.#replace(slot, 0); // It crashed in the meantime.
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(`Worker ${slot.number} did not serve within ${startTimeoutMs} ms.`, { cause: error });
    } finally {
      slot.successor = undefined;
    }
    this.#adopt(slot, successor);
    onServing();
    await predecessor?.stop(AbortSignal.timeout(stopTimeoutMs), true);
  }

  async #ready(successor: WorkerChild<Settings>, predecessor: WorkerChild<Settings> | undefined): Promise<void> {
    await successor.serving;
    if (predecessor?.accepts === true) await this.#sockets.give(successor);
  }

  /** Lets ready workers accept connections until there are as many as wanted. Each promise resolves when one does. */
  #admit(): Promise<void>[] {
    const ready = this.#children.filter(({ isServing, isLate }) => isServing && !isLate);
    const missing = this.#wanted - ready.filter(({ accepts }) => accepts).length;
    const next = ready.filter(({ accepts }) => !accepts).slice(0, Math.max(0, missing));
    return next.map(async (child) => this.#sockets.give(child));
  }

  /** All of them where they cannot share sockets. */
  get #wanted(): number {
    return systemHasReusePort ? this.#demand.wanted : this.#options.count;
  }

  /** Adapts the number of workers that accept connections to their load. */
  #balance(): void {
    if (systemHasReusePort) {
      const accepting = this.#children.filter(({ accepts }) => accepts);
      const { wanted, shed } = this.#demand.measured(accepting.map(({ load }) => load));
      if (shed !== undefined) accepting[shed.index]?.shed(shed.connections);
      for (const child of accepting.filter(({ isLate }) => !isLate).slice(wanted)) child.rest();
    }
    this.#admitMissing();
  }

  #admitMissing(): void {
    // The end of a worker that could not is counted and logged.
    for (const accepting of this.#admit()) accepting.catch(() => undefined);
  }

  get #heartbeat(): HeartbeatLimits {
    return this.#options.heartbeat ?? defaultHeartbeat;
  }

  get #children(): WorkerChild<Settings>[] {
    return this.#slots.flatMap(({ child }) => child ?? []);
  }

  #launch(slot: Slot<Settings>): WorkerChild<Settings> {
    const child = this.#fork(slot.number, this.#settings);
    this.#adopt(slot, child);
    return child;
  }

  #fork(number: number, settings: (n: number) => Settings): WorkerChild<Settings> {
    const { watch, log } = this.#options;
    const onSocket = (handle: unknown): void => this.#sockets.add(handle);
    const forgetElsewhere = async (key: string): Promise<void> => {
      const others = [...this.#alive].filter((one) => one !== child);
      await Promise.all(others.map(async (one) => one.forget(key)));
    };
    const child = new WorkerChild({
      number,
      settings: settings(number),
      heartbeat: this.#heartbeat,
      watch,
      log,
      onSocket,
      forgetElsewhere,
    });
    this.#alive.add(child);
    void child.ended.then(() => this.#alive.delete(child));
    return child;
  }

  #adopt(slot: Slot<Settings>, child: WorkerChild<Settings>): void {
    slot.child = child;
    slot.servesSinceMs = undefined;
    void child.serving.then(
      () => {
        slot.servesSinceMs = this.#options.clock.now();
        if (this.#isRunning) this.#admitMissing();
      },
      () => undefined,
    );
    void child.ended.then((end) => this.#ended(slot, child, end));
  }

  #ended(slot: Slot<Settings>, child: WorkerChild<Settings>, end: WorkerEnd): void {
    if (slot.child !== child) return; // It was replaced.
    slot.child = undefined;
    if (!this.#isRunning) return;
    const servedMs = slot.servesSinceMs === undefined ? 0 : this.#options.clock.now() - slot.servesSinceMs;
    // A worker that served and exited with 0 received a SIGTERM from outside: not a crash.
    const wasAsked = end.code === 0 && slot.servesSinceMs !== undefined;
    if (wasAsked) slot.backoff = new CrashBackoff(this.#options.random);
    const restartInMs = wasAsked ? 0 : slot.backoff.crashed(servedMs);
    const level = slot.backoff.isSpent ? 'error' : 'warn';
    this.#options.log[level]({ worker: slot.number, ...end, restartInMs }, 'a worker ended');
    this.#options.record({ kind: 'worker', level: wasAsked ? 'info' : 'warn', text: describe(slot.number, end) });
    if (this.#isHopeless) {
      this.#isRunning = false;
      this.#options.onFatal('no worker serves, and each has crashed too often');
      return;
    }
    this.#restarts += 1;
    this.#admitMissing();
    void this.#replace(slot, restartInMs);
  }

  get #isHopeless(): boolean {
    return this.counts.serving === 0 && this.#slots.every(({ backoff }) => backoff.isSpent);
  }

  async #replace(slot: Slot<Settings>, delayMs: number): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    if (!this.#isRunning || slot.child !== undefined || slot.successor !== undefined) return;
    const { clock, log } = this.#options;
    const beganMs = clock.now();
    try {
      await this.#launch(slot).serving;
      log.info({ worker: slot.number, tookMs: Math.round(clock.now() - beganMs) }, 'a new worker serves');
    } catch {
      // Its end was counted and logged, and has led to the next attempt.
    }
  }
}

function throwPartial(error: unknown, worker: number): never {
  throw new OperatorError(
    `The reload is incomplete: ${messageOf(error)}. Workers before worker ${worker} have the new configuration, it and the others ` +
      'the old one. All of them serve. Reload again.',
    { cause: error },
  );
}

function describe(worker: number, { code, signal, reason }: WorkerEnd): string {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return `Worker ${worker} ended ${how}${reason === undefined ? '' : `: ${reason}`}`;
}
