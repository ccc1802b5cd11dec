import { CpuLoad } from '../lib/cpu-load.ts';
import { messageOf } from '../lib/error-code.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Collection, Measurement } from '../telemetry/collection.ts';
import type { Live, Watch } from '../telemetry/live.ts';
import { followAcceptOrders } from './accept-orders.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { SupervisorMessage, WatchQuestion, WorkerLoad, WorkerMessage, WorkerReport } from './messages.ts';

/** A server that is ready to accept connections, until it is stopped. */
export interface Served {
  readonly report: WorkerReport;
  /** Its metrics so far; undefined when they are unavailable. */
  measure(): Measurement | undefined;
  /** Accepts connections on these listening sockets. Without any it creates them, and resolves with handles of them, for other processes. */
  accept(sockets: readonly unknown[]): Promise<readonly unknown[]>;
  /** Accepts no more connections until the next `accept`; open ones close with their next answer. */
  rest(): void;
  /** Closes this many connections, each with its next answer. */
  shed(connections: number): void;
  load(): Omit<WorkerLoad, 'cpu'>;
  /** The primary, which was unavailable at the start, is prepared. */
  admitWrites(): void;
  /** Drops what it cached under this key. */
  forget(key: string): void;
  /** `isReplaced`: a successor accepts from the same sockets, so clients need no other server. */
  stop(signal: AbortSignal, isReplaced: boolean): Promise<void>;
}

/** What a worker can request from its supervisor. */
export interface FromSupervisor {
  readonly watch: Watch;
  /** Reports that ours are closed. Resolves when those of all workers are; never without a supervisor. */
  readonly listenersClosed: () => Promise<void>;
  /** Resolves when all other workers have dropped what they cached under this key. Has no deadline: one of them may be frozen. */
  readonly forgetElsewhere: (key: string) => Promise<void>;
}

/** Without its supervisor, nothing else would end a worker by force. */
const drainLimitMs = 60_000;

/** Longer than the supervisor needs when all other workers are silent. */
const answerMs = 4_000;

/** The process that a worker runs in. */
export interface WorkerChannel<Settings> {
  send(message: WorkerMessage, handle?: unknown): void;
  onMessage(listener: (message: SupervisorMessage<Settings>, handle?: unknown) => void): void;
  /** The supervisor is gone. */
  onDisconnect(listener: () => void): void;
  exit(code: number): void;
}

export interface WorkerProcess {
  /** Completes requests in flight, then ends the process. */
  drain(): void;
}

/** The life of a worker: requests its settings, serves, drains on request or when its supervisor is gone, and ends. */
export function runWorkerProcess<Settings>(
  channel: WorkerChannel<Settings>,
  serve: (settings: Settings, supervisor: FromSupervisor) => Promise<Served>,
): WorkerProcess {
  let serving: Promise<Served> | undefined;
  const questions = askSupervisor(channel);
  const cpu = new CpuLoad();
  let served: Served | undefined;
  const allClosed = Promise.withResolvers<void>();
  const forgets = new Acknowledgements();
  let ending = false;

  const drain = (isReplaced = false): void => {
    if (ending) return;
    ending = true;
    const limit = AbortSignal.timeout(drainLimitMs);
    const stopped = serving?.then(async (it) => it.stop(limit, isReplaced)) ?? Promise.resolve();
    void stopped.then(
      () => channel.exit(0),
      () => channel.exit(1),
    );
  };

  const listenersClosed = async (): Promise<void> => {
    channel.send({ type: 'listeners closed' });
    await allClosed.promise;
  };

  const forgetElsewhere = async (key: string): Promise<void> =>
    forgets.request((request) => channel.send({ type: 'forget', key, request }));

  const forget = async (key: string, request: number): Promise<void> => {
    const it = await serving?.catch(() => undefined);
    it?.forget(key);
    channel.send({ type: 'forgotten', request });
  };

  const fail = (error: unknown): void => {
    channel.send({ type: 'failed', reason: messageOf(error) });
    channel.exit(1);
  };

  const begin = async (settings: Settings): Promise<void> => {
    serving = serve(settings, { watch: questions.watch, listenersClosed, forgetElsewhere });
    served = await serving;
    channel.send({ type: 'ready', report: served.report });
  };

  const followOrder = followAcceptOrders({ channel, served: () => served, onFailed: fail });

  channel.onMessage((message, handle) => {
    followOrder(message, handle);
    if (message.type === 'serve') begin(message.settings).catch(fail);
    if (message.type === 'ping')
      channel.send({ type: 'pong', load: served && { ...served.load(), cpu: cpu.measure() } });
    if (message.type === 'admit writes') void serving?.then((it) => it.admitWrites());
    if (message.type === 'measure') void serving?.then((it) => tellMeasured(channel, it));
    if (message.type === 'answer') questions.answered(message.question, message.answer);
    if (message.type === 'forget') void forget(message.key, message.request);
    if (message.type === 'all forgot') forgets.received(message.request);
    if (message.type === 'all listeners closed') allClosed.resolve();
    if (message.type === 'drain') drain(message.isReplaced);
  });
  channel.onDisconnect(() => drain());
  channel.send({ type: 'hello' });
  return { drain: () => drain() };
}

function tellMeasured(channel: Pick<WorkerChannel<never>, 'send'>, served: Served): void {
  channel.send({ type: 'measured', measurement: served.measure() });
}

/** Requests data about all processes from the supervisor. Rejects when it does not answer. */
function askSupervisor(channel: Pick<WorkerChannel<never>, 'send'>): {
  readonly watch: Watch;
  readonly answered: (question: number, answer: Collection | Live) => void;
} {
  const open = new Map<number, (answer: Collection | Live) => void>();
  let questions = 0;
  const ask = async (about: WatchQuestion): Promise<Collection | Live> => {
    questions += 1;
    const question = questions;
    const { promise, resolve } = Promise.withResolvers<Collection | Live>();
    open.set(question, resolve);
    channel.send({ type: 'ask', question, about });
    return await withDeadline(promise, answerMs).finally(() => open.delete(question));
  };
  return {
    watch: {
      collect: async (maxAgeMs = 0) => {
        const answer = await ask({ maxAgeMs });
        if ('metrics' in answer) return answer;
        throw new Error('the supervisor sent the reply to another request');
      },
      live: async (seen) => {
        const answer = await ask({ seen });
        if ('seen' in answer) return answer;
        throw new Error('the supervisor sent the reply to another request');
      },
      wrongToken: (address) => channel.send({ type: 'wrong token', address }),
    },
    answered: (question, answer) => open.get(question)?.(answer),
  };
}
