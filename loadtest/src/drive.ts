import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { FromGenerator, Plan, SecondTally, ToGenerator } from './messages.ts';
import { hrtimeMs } from './monotonic-time.ts';
import { mergeSeconds, Outcome, type MeasuredSecond } from './outcome.ts';

const program = fileURLToPath(new URL('generator-process.ts', import.meta.url));

/** Between the start message and the first arrival: every generator has received it by then. */
const startDelayMs = 100;

export interface DriveOptions {
  readonly processes: number;
  readonly onSecond: (second: MeasuredSecond) => void;
  /** Ends the run cleanly, with the results so far. */
  readonly stopping: AbortSignal;
  /** Ends the run at once: `drive` rejects. */
  readonly atOnce: AbortSignal;
}

/** Runs the plan in generator processes and merges their results. Rejects when one of them dies. */
export async function drive(plan: Plan, options: DriveOptions): Promise<Outcome> {
  const { processes: parts, stopping, atOnce } = options;
  const children = Array.from({ length: parts }, () => new GeneratorChild());
  const stop = (): void => {
    for (const child of children) child.send({ type: 'stop' });
  };
  const kill = (): void => {
    for (const child of children) child.kill();
  };
  stopping.addEventListener('abort', stop, { once: true });
  atOnce.addEventListener('abort', kill, { once: true });
  try {
    await Promise.all(children.map(async (child) => child.ready));
    const startAtMs = hrtimeMs() + startDelayMs + (plan.chat?.connectMs ?? 0);
    const outcome = new Outcome();
    gatherSeconds(children, outcome, options.onSecond);
    for (const [part, child] of children.entries())
      child.send({ type: 'run', plan, share: { part, parts }, startAtMs });
    if (stopping.aborted) stop();
    for (const tally of await Promise.all(children.map(async (child) => child.done))) outcome.merge(tally);
    return outcome;
  } finally {
    stopping.removeEventListener('abort', stop);
    atOnce.removeEventListener('abort', kill);
    await Promise.all(children.map(async (child) => child.end()));
  }
}

type Done = Extract<FromGenerator, { type: 'done' }>;

class GeneratorChild {
  readonly ready: Promise<void>;
  readonly done: Promise<Done>;
  onSecond: (tally: SecondTally) => void = () => undefined;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor() {
    const ready = Promise.withResolvers<void>();
    const done = Promise.withResolvers<Done>();
    this.ready = ready.promise;
    this.done = done.promise;
    this.#child = fork(program, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#exited = once(this.#child, 'exit').catch(() => undefined);
    this.#child.on('message', (message: FromGenerator) => {
      if (message.type === 'ready') ready.resolve();
      else if (message.type === 'second') this.onSecond(message);
      else done.resolve(message);
    });
    const fail = (reason: string): void => {
      ready.reject(new Error(reason));
      done.reject(new Error(reason));
    };
    this.#child.on('error', (error) => fail(`a generator process failed: ${error.message}`));
    this.#child.on('exit', (code, signal) => fail(`a generator process ended (${signal ?? code}) before its time`));
    // A rejection without a listener is not an error here.
    this.ready.catch(() => undefined);
    this.done.catch(() => undefined);
  }

  send(message: ToGenerator): void {
    if (this.#child.connected) this.#child.send(message);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The process ends when its channel closes. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }
}

/** Calls `onSecond` when all generators have reported a second. */
function gatherSeconds(
  children: readonly GeneratorChild[],
  outcome: Outcome,
  onSecond: (second: MeasuredSecond) => void,
): void {
  const waiting = new Map<number, SecondTally[]>();
  for (const child of children) {
    child.onSecond = (tally) => {
      const tallies = [...(waiting.get(tally.second) ?? []), tally];
      waiting.set(tally.second, tallies);
      if (tallies.length < children.length) return;
      waiting.delete(tally.second);
      const second = mergeSeconds(tally.second, tallies);
      outcome.timeline.push(second);
      onSecond(second);
    };
  }
}
