import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { mergeSnapshots, onlyCounted } from '../telemetry/merge-snapshots.ts';
import type { Snapshot } from '../telemetry/metrics.ts';
import type { Log } from '../telemetry/log.ts';
import type { ChildMessage, ParentMessage } from './child-messages.ts';
import { CrashBackoff } from './crash-backoff.ts';
import { defaultHeartbeat, Heartbeat, type HeartbeatLimits } from './heartbeat.ts';
import { Question } from './question.ts';

export interface KeptChildOptions<Settings> {
  /** For the log. */
  readonly name: string;
  /** The program, and the argument that tells it what to run. */
  readonly exec: string;
  readonly argument: string;
  /** Read at each start. */
  readonly settings: () => Settings;
  readonly heartbeat?: HeartbeatLimits;
  readonly startTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** It ended by itself, and is started again. */
  readonly onEnded: (text: string) => void;
}

const measureMs = 900;

/**
 * One process beside the workers, which is started again whenever it ends: at once, then with back-off, without limit, because
 * the workers serve without it. One that hangs is killed first.
 */
export class KeptChild<Settings> {
  readonly #options: KeptChildOptions<Settings>;
  readonly #backoff: CrashBackoff;
  readonly #stopping = new AbortController();
  #child: Child<Settings> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Totals of processes that ended. */
  #retired: Snapshot = {};
  #last: Snapshot = {};
  #restarts = 0;

  constructor(options: KeptChildOptions<Settings>) {
    this.#options = options;
    this.#backoff = new CrashBackoff(options.random);
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Undefined between an end and the next start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it runs for the first time; rejects with the reason when it does not. */
  async start(signal: AbortSignal): Promise<void> {
    const child = this.#launch();
    this.#running = this.#keep(child);
    await withDeadline(child.ready, this.#options.startTimeoutMs, signal);
  }

  /** Ends the process; the next one has the present settings. */
  restart(): void {
    this.#child?.stop();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    const kill = (): void => child?.kill();
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    else child?.stop();
    await this.#running;
    signal.removeEventListener('abort', kill);
  }

  /** Totals never decrease; gauges are missing while it does not answer. */
  async measure(): Promise<Snapshot> {
    const snapshot = await this.#child?.measure();
    if (snapshot !== undefined) this.#last = snapshot;
    return mergeSnapshots([this.#retired, snapshot ?? onlyCounted(this.#last)]);
  }

  /** False when it was stopped meanwhile. */
  async #wait(delayMs: number): Promise<boolean> {
    const { signal } = this.#stopping;
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }

  #launch(): Child<Settings> {
    const child = new Child(this.#options);
    this.#child = child;
    return child;
  }

  async #keep(first: Child<Settings>): Promise<void> {
    const { clock, log, name, onEnded } = this.#options;
    let child = first;
    for (;;) {
      let beganMs: number | undefined;
      child.ready.then(
        () => (beganMs = clock.now()),
        () => undefined,
      );
      const end = await child.ended;
      this.#child = undefined;
      this.#retired = mergeSnapshots([this.#retired, onlyCounted(this.#last)]);
      this.#last = {};
      if (this.#stopping.signal.aborted) return;
      const ranMs = beganMs === undefined ? 0 : clock.now() - beganMs;
      const restartInMs = end.code === 0 ? 0 : this.#backoff.crashed(ranMs);
      log.warn({ ...end, restartInMs }, `the ${name} ended`);
      onEnded(`The ${name} ended ${end.signal === null ? `with exit code ${end.code}` : `by ${end.signal}`}`);
      this.#restarts += 1;
      if (!(await this.#wait(restartInMs))) return;
      child = this.#launch();
    }
  }
}

interface End {
  readonly code: number;
  readonly signal: string | null;
  readonly reason: string | undefined;
}

/** One process, from the fork to its end. */
class Child<Settings> {
  /** Rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<End>;
  readonly #process: ChildProcess;
  readonly #settings: () => Settings;
  readonly #heartbeat: Heartbeat;
  readonly #measurement: Question<Snapshot>;
  readonly #ready = Promise.withResolvers<void>();
  #reason: string | undefined;
  #isReady = false;

  constructor({ exec, argument, settings, name, heartbeat }: KeptChildOptions<Settings>) {
    this.#settings = settings;
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined); // `ended` reports it as well.
    this.#measurement = new Question(() => this.#send({ type: 'measure' }));
    this.#process = fork(exec, [argument], { serialization: 'advanced' });
    this.#heartbeat = new Heartbeat(
      heartbeat ?? defaultHeartbeat,
      () => this.#send({ type: 'ping' }),
      () => {
        this.#reason = 'it stopped responding';
        this.kill();
      },
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Both ends run the same code.
    this.#process.on('message', (message) => this.#hear(message as ChildMessage));
    const { promise, resolve } = Promise.withResolvers<End>();
    this.ended = promise;
    const end = (code: number, signal: string | null): void => {
      this.#heartbeat.stop();
      this.#measurement.end();
      this.#ready.reject(
        new OperatorError(`The ${name} did not start: ${this.#reason ?? 'it ended without a reason'}`),
      );
      resolve({ code, signal, reason: this.#reason });
    };
    this.#process.once('error', (error) => {
      this.#reason = error.message;
      if (this.#process.pid === undefined) end(1, null); // It will emit no exit.
    });
    this.#process.once('exit', (code, signal) => end(code ?? 1, signal));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Undefined until it is ready, and when it does not answer within a second. */
  async measure(): Promise<Snapshot | undefined> {
    return this.#isReady ? await this.#measurement.ask(measureMs) : undefined;
  }

  stop(): void {
    this.#send({ type: 'stop' });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #hear(message: ChildMessage): void {
    if (message.type === 'hello') this.#send({ type: 'begin', settings: this.#settings() });
    if (message.type === 'pong') this.#heartbeat.answered();
    if (message.type === 'measured') this.#measurement.answered(message.snapshot);
    if (message.type === 'failed') this.#reason = message.reason;
    if (message.type === 'ready') {
      this.#heartbeat.serves();
      this.#isReady = true;
      this.#ready.resolve();
    }
  }

  /** The channel may close during a write; the exit that follows is handled. */
  #send(message: ParentMessage<Settings>): void {
    this.#process.send(message, () => undefined);
  }
}
