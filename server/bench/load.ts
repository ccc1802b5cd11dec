import { fork, type ChildProcess } from 'node:child_process';

import type { CallName } from './calls.ts';

export interface Load {
  readonly port: number;
  readonly seconds: number;
  /** Asked in turn. */
  readonly calls: readonly CallName[];
  /**
   * A closed loop: as many at any time, each asks again as soon as it is answered. Or an open one: as many new ones per
   * second, however long answers take.
   */
  readonly connections: number | { readonly perSecond: number };
  /** After as many, a connection is closed, and a closed loop opens another. Default: they stay. */
  readonly requestsPerConnection?: number | undefined;
  /** See `Spread`. */
  readonly users?: number | undefined;
  readonly doomed?: number | undefined;
}

export interface LoadReport {
  /** Those that were answered as they should be; all figures are of these, so that refusals count for nothing. */
  readonly requests: number;
  /** Answers with another status than the one that means success, and requests without an answer. */
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Received, heads included. */
  readonly bytes: number;
  readonly clientCpuUs: number;
  /** The part of the time in which the generator used its core: near 1, it and not the server is the limit. */
  readonly clientUse: number;
  /** The most by which an arrival of the open loop was late. */
  readonly latestMs: number;
}

/** A process that loads servers: its CPU is not theirs and can be counted, and what it runs is compiled after the first load. */
export class LoadGenerator {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Ends when the signal aborts; then loads reject. */
  static start(signal: AbortSignal): LoadGenerator {
    const child = fork(new URL('load-process.ts', import.meta.url), { signal });
    child.on('error', () => undefined); // `exit` follows.
    return new LoadGenerator(child);
  }

  /** Resolves when connections are open and nothing has been asked; `go` asks. */
  async open(load: Load): Promise<{ readonly go: () => Promise<LoadReport> }> {
    this.#process.send(load);
    await this.#hear();
    return {
      go: async () => {
        this.#process.send('go');
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- load-process.ts sends a report after `go`.
        const report = (await this.#hear()) as LoadReport;
        if (report.requests === 0) throw new Error(`none of ${report.failures} requests was answered as it should be`);
        return report;
      },
    };
  }

  stop(): void {
    if (this.#process.connected) this.#process.disconnect();
  }

  async #hear(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onExit = (): void => reject(new Error('the load generator ended without a report'));
    this.#process.once('message', resolve).once('exit', onExit);
    return await promise.finally(() => this.#process.off('message', resolve).off('exit', onExit));
  }
}

/** One load, from a process of its own. */
export async function runLoad(load: Load, signal: AbortSignal): Promise<LoadReport> {
  const generator = LoadGenerator.start(signal);
  try {
    const loading = await generator.open(load);
    return await loading.go();
  } finally {
    generator.stop();
  }
}
