import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { childrenOf } from '../../test/start-server.ts';

const everyMs = 100;
const attempts = 5;

/** Counts the system calls of processes with `perf`. Needs the right to trace, and costs CPU per call. */
export class SystemCalls {
  readonly #perf: ChildProcess;
  #count = 0;
  #next = Promise.withResolvers<void>();

  private constructor(perf: ChildProcess) {
    this.#perf = perf;
    if (perf.stderr === null) throw new Error('perf has no output');
    createInterface({ input: perf.stderr }).on('line', (line) => this.#hear(line));
  }

  /** Starts to count for these processes and their children. Undefined if `perf` is missing or not permitted. */
  static async count(roots: readonly number[]): Promise<SystemCalls | undefined> {
    // `perf` ends if a process ends just before it attaches, like those of autovacuum.
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const calls = await SystemCalls.#start(roots.flatMap((pid) => [pid, ...childrenOf(pid)]));
      if (calls !== undefined) return calls;
    }
    return undefined;
  }

  static async #start(pids: readonly number[]): Promise<SystemCalls | undefined> {
    const args = ['stat', '-x', ',', '-I', String(everyMs), '-e', 'raw_syscalls:sys_enter', '-p', pids.join()];
    const perf = spawn('perf', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    const calls = new SystemCalls(perf);
    const ended = Promise.withResolvers<undefined>();
    perf.once('exit', () => ended.resolve(undefined)).once('error', () => ended.resolve(undefined));
    return await Promise.race([calls.soFar().then(() => calls), ended.promise]);
  }

  /** From a report that begins after the call, so that it includes all earlier work. */
  async soFar(): Promise<number> {
    await this.#next.promise;
    await this.#next.promise;
    return this.#count;
  }

  async stop(): Promise<void> {
    if (this.#perf.exitCode !== null) return;
    this.#perf.kill('SIGINT');
    await once(this.#perf, 'exit');
  }

  /** `time,count,unit,event,…`; without calls the count is `<not counted>`; other lines are explanations. */
  #hear(line: string): void {
    const count = /^ *[\d.]+,(\d+|<not counted>),/u.exec(line)?.[1];
    if (count === undefined) return;
    this.#count += Number(count) || 0;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}
