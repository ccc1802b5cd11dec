import { withDeadline } from '../lib/with-deadline.ts';
import type { Collect, Collection, Measurement } from '../telemetry/collection.ts';
import type { SupervisorMessage, WorkerMessage, WorkerReport } from './messages.ts';

/** Something that serves until it is stopped. */
export interface Served {
  readonly report: WorkerReport;
  /** What it has counted so far; undefined when that cannot be told now. */
  measure(): Measurement | undefined;
  stop(signal: AbortSignal): Promise<void>;
}

/** A worker whose supervisor is gone has nobody who would end it by force. */
const drainLimitMs = 60_000;

/** Longer than the supervisor takes when all others are silent. */
const collectMs = 4_000;

/** The process that a worker runs in. */
export interface WorkerChannel<Settings> {
  send(message: WorkerMessage): void;
  onMessage(listener: (message: SupervisorMessage<Settings>) => void): void;
  /** The supervisor is gone. */
  onDisconnect(listener: () => void): void;
  exit(code: number): void;
}

export interface WorkerProcess {
  /** Finishes what runs, then ends the process. */
  drain(): void;
}

/**
 * The life of a worker: asks for its settings, serves, drains when it is told to or when its supervisor is gone, ends.
 */
export function runWorkerProcess<Settings>(
  channel: WorkerChannel<Settings>,
  serve: (settings: Settings, collect: Collect) => Promise<Served>,
): WorkerProcess {
  let serving: Promise<Served> | undefined;
  const collections = askForCollections(channel);
  let ending = false;

  const drain = (): void => {
    if (ending) return;
    ending = true;
    const limit = AbortSignal.timeout(drainLimitMs);
    const stopped = serving?.then(async (served) => served.stop(limit)) ?? Promise.resolve();
    void stopped.then(
      () => channel.exit(0),
      () => channel.exit(1),
    );
  };

  const begin = async (settings: Settings): Promise<void> => {
    try {
      serving = serve(settings, collections.collect);
      const { report } = await serving;
      channel.send({ type: 'ready', report });
    } catch (error) {
      channel.send({ type: 'failed', reason: error instanceof Error ? error.message : 'unknown error' });
      channel.exit(1);
    }
  };

  channel.onMessage((message) => {
    if (message.type === 'serve') void begin(message.settings);
    if (message.type === 'ping') channel.send({ type: 'pong' });
    if (message.type === 'measure') void serving?.then((served) => tellMeasured(channel, served));
    if (message.type === 'collected') collections.collected(message.question, message.collection);
    if (message.type === 'drain') drain();
  });
  channel.onDisconnect(drain);
  channel.send({ type: 'hello' });
  return { drain };
}

function tellMeasured(channel: Pick<WorkerChannel<never>, 'send'>, served: Served): void {
  channel.send({ type: 'measured', measurement: served.measure() });
}

/** Asks the supervisor for what all processes have counted. Rejects when it does not answer. */
function askForCollections(channel: Pick<WorkerChannel<never>, 'send'>): {
  readonly collect: Collect;
  readonly collected: (question: number, collection: Collection) => void;
} {
  const open = new Map<number, (collection: Collection) => void>();
  let questions = 0;
  return {
    collect: async (maxAgeMs = 0) => {
      questions += 1;
      const question = questions;
      const { promise, resolve } = Promise.withResolvers<Collection>();
      open.set(question, resolve);
      channel.send({ type: 'collect', question, maxAgeMs });
      return await withDeadline(promise, collectMs).finally(() => open.delete(question));
    },
    collected: (question, collection) => open.get(question)?.(collection),
  };
}
