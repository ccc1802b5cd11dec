import type { SendHandle } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';

import { messageOf } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Measurement } from '../telemetry/collection.ts';
import type { MeasuredWorker } from '../telemetry/collector.ts';
import type { Watch } from '../telemetry/live.ts';
import type { Log } from '../telemetry/log.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { Heartbeat, type HeartbeatLimits } from './heartbeat.ts';
import type { SupervisorMessage, WorkerLoad, WorkerMessage, WorkerReport } from './messages.ts';
import { Question } from './question.ts';

export interface WorkerChildOptions<Settings> {
  /** Its number, from 1; its successor keeps it. */
  readonly number: number;
  readonly settings: Settings;
  readonly heartbeat: HeartbeatLimits;
  /** Answers its requests for data about all processes. */
  readonly watch: Watch;
  readonly log: Log;
  /** Resolves when all other workers have dropped what they cached under this key. */
  readonly forgetElsewhere: (key: string) => Promise<void>;
  /** Called with each listening socket that it has created. */
  readonly onSocket: (handle: unknown) => void;
}

export interface WorkerEnd {
  readonly code: number;
  readonly signal: string | null;
  /** Undefined when it gave none. */
  readonly reason: string | undefined;
}

/** Deadline for a worker's measurement. */
const measureMs = 900;

/** One worker process, as its supervisor sees it: from the fork to its end. */
export class WorkerChild<Settings> {
  /** Resolves when it is ready to accept connections; rejects with the reason when it ends before that. */
  readonly serving: Promise<WorkerReport>;
  /** Resolves when its process has exited, or could not be forked. Never rejects. */
  readonly ended: Promise<WorkerEnd>;
  /** Resolves when it accepts no more connections, because it drains or has exited. Never rejects. */
  readonly listenersClosed: Promise<void>;
  readonly #options: WorkerChildOptions<Settings>;
  readonly #process: Worker | undefined;
  readonly #measurement: Question<Measurement | undefined>;
  readonly #forgets = new Acknowledgements();
  readonly #heartbeat: Heartbeat;
  readonly #served = Promise.withResolvers<WorkerReport>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<WorkerEnd>();
  #reason: string | undefined;
  #accepting: PromiseWithResolvers<void> | undefined;
  #load: WorkerLoad | undefined;
  #admitsWrites = false;
  #isServing = false;
  #isOver = false;

  constructor(options: WorkerChildOptions<Settings>) {
    this.#options = options;
    this.serving = this.#served.promise;
    this.ended = this.#end.promise;
    this.listenersClosed = this.#closed.promise;
    this.serving.catch(() => undefined); // `ended` reports its end as well.
    this.#measurement = new Question(() => this.#send({ type: 'measure' }));
    this.#heartbeat = new Heartbeat(
      options.heartbeat,
      () => this.#send({ type: 'ping' }),
      () => {
        this.#reason = 'it stopped responding';
        this.kill();
      },
    );
    this.#process = this.#fork();
  }

  get number(): number {
    return this.#options.number;
  }

  get pid(): number {
    return this.#process?.process.pid ?? 0;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Whether it accepts connections, or is about to. */
  get accepts(): boolean {
    return this.#accepting !== undefined;
  }

  /** Undefined until it was measured, and while it does not respond. */
  get load(): WorkerLoad | undefined {
    return this.#heartbeat.isLate ? undefined : this.#load;
  }

  /** Whether pings remain unanswered. */
  get isLate(): boolean {
    return this.#heartbeat.isLate;
  }

  /**
   * Resolves when it accepts connections on the listening sockets that `take` resolves with, or on its own if there are
   * none; rejects when it ends before.
   */
  async accept(take: () => Promise<readonly unknown[]>): Promise<void> {
    const accepting = Promise.withResolvers<void>();
    this.#accepting = accepting;
    if (this.#isOver) accepting.reject(this.#notStarted());
    const sockets = await take();
    if (this.#accepting !== accepting) return; // It rests.
    for (const handle of sockets) this.#send({ type: 'listener' }, handle);
    this.#send({ type: 'accept', sockets: sockets.length });
    await accepting.promise;
  }

  /** It accepts no more connections, and its open ones close with their next answer. */
  rest(): void {
    this.#accepting?.resolve();
    this.#accepting = undefined;
    this.#send({ type: 'rest' });
  }

  /** It closes this many connections, each with its next answer. */
  shed(connections: number): void {
    this.#send({ type: 'shed', connections });
  }

  /** Undefined while it does not serve; without a measurement when it does not answer within a second. */
  async measure(): Promise<MeasuredWorker | undefined> {
    if (!this.#isServing) return undefined;
    const measurement = await this.#measurement.ask(measureMs);
    return { id: this.#process?.id ?? 0, worker: this.number, pid: this.pid, measurement };
  }

  /** Also for a worker that has not yet requested its settings, which are older than this. */
  admitWrites(): void {
    this.#admitsWrites = true;
    this.#send({ type: 'admit writes' });
  }

  /** Resolves when it has dropped what it cached under this key, or has ended. Never rejects. */
  async forget(key: string): Promise<void> {
    await this.#forgets.request((request) => this.#send({ type: 'forget', key, request }));
  }

  /** Answers may now close its connections: clients will not reach a listener that is about to close. */
  allListenersClosed(): void {
    this.#send({ type: 'all listeners closed' });
  }

  kill(): void {
    this.#process?.process.kill('SIGKILL');
  }

  /**
   * Completes requests in flight; `isReplaced` when its successor already serves. Resolves when its process has exited;
   * the signal ends it by force.
   */
  async stop(signal: AbortSignal, isReplaced = false): Promise<void> {
    const kill = (): void => this.kill();
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    else this.#send({ type: 'drain', isReplaced });
    await this.ended;
    signal.removeEventListener('abort', kill);
  }

  /** Undefined when no process could be created, such as for lack of memory or of open files. */
  #fork(): Worker | undefined {
    try {
      const worker = cluster.fork();
      worker.on('message', (message: WorkerMessage, handle: unknown) => this.#heard(message, handle));
      worker.once('error', (error) => {
        this.#reason = error.message;
        if (worker.process.pid === undefined) this.#ended(1, null); // It will emit no exit.
      });
      worker.once('exit', (code: number, signal: string | null) => this.#ended(code, signal));
      return worker;
    } catch (error) {
      this.#reason = messageOf(error);
      this.#ended(1, null);
      return undefined;
    }
  }

  #heard(message: WorkerMessage, handle: unknown): void {
    const { settings, onSocket } = this.#options;
    if (message.type === 'hello') {
      this.#send({ type: 'serve', settings });
      if (this.#admitsWrites) this.#send({ type: 'admit writes' });
    }
    if (message.type === 'failed') this.#reason = message.reason;
    if (message.type === 'pong') {
      this.#load = message.load;
      this.#heartbeat.answered();
    }
    if (message.type === 'measured') this.#measurement.answered(message.measurement);
    this.#heardAboutAll(message);
    if (message.type === 'listener') onSocket(handle);
    if (message.type === 'accepting') this.#accepting?.resolve();
    if (message.type === 'listeners closed') this.#closed.resolve();
    if (message.type === 'ready' && !this.#isOver) {
      this.#isServing = true;
      this.#heartbeat.serves();
      this.#served.resolve(message.report);
    }
  }

  /** What concerns all processes. */
  #heardAboutAll(message: WorkerMessage): void {
    if (message.type === 'ask') void this.#answer(message);
    if (message.type === 'wrong token') this.#options.watch.wrongToken(message.address);
    if (message.type === 'forget') void this.#forgetElsewhere(message);
    if (message.type === 'forgotten') this.#forgets.received(message.request);
  }

  #ended(code: number, signal: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isServing = false;
    this.#heartbeat.stop();
    this.#measurement.end();
    this.#forgets.end();
    this.#closed.resolve();
    this.#served.reject(this.#notStarted());
    this.#accepting?.promise.catch(() => undefined); // `ended` reports it as well.
    this.#accepting?.reject(this.#notStarted());
    this.#end.resolve({ code, signal, reason: this.#reason });
  }

  async #answer({ question, about }: Extract<WorkerMessage, { type: 'ask' }>): Promise<void> {
    const { watch, log } = this.#options;
    try {
      const answer = 'seen' in about ? await watch.live(about.seen) : await watch.collect(about.maxAgeMs);
      this.#send({ type: 'answer', question, answer });
    } catch (err) {
      // The worker's request ends at its deadline.
      log.error({ err }, 'the metrics of all processes could not be collected');
    }
  }

  async #forgetElsewhere({ key, request }: Extract<WorkerMessage, { type: 'forget' }>): Promise<void> {
    await this.#options.forgetElsewhere(key);
    this.#send({ type: 'all forgot', request });
  }

  #notStarted(): OperatorError {
    return new OperatorError(`Worker ${this.number} did not start: ${this.#reason ?? 'it ended without a reason'}`);
  }

  /** The channel may close during a write; the exit that follows is handled. */
  #send(message: SupervisorMessage<Settings>, handle?: unknown): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node sends bare handles, as node:cluster does; its types lack them.
    this.#process?.process.send(message, handle as SendHandle, undefined, () => undefined);
  }
}
