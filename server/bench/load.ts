import { fork, type ChildProcess } from 'node:child_process';

import type { CallName } from './calls.ts';
import type { ChatCall } from './chat-load.ts';

export interface Load {
  readonly port: number;
  readonly seconds: number;
  /** Sent in rotation; or one call about messages. */
  readonly calls: readonly (CallName | ChatCall)[];
  /**
   * A closed loop: this many connections, each sends again as soon as it is answered. Or an open one: this many new
   * ones per second, however long answers take.
   */
  readonly connections: number | { readonly perSecond: number };
  /** After this many, a connection is closed, and a closed loop opens another. Default: connections stay. */
  readonly requestsPerConnection?: number | undefined;
  /** See `Spread`. */
  readonly users?: number | undefined;
  readonly doomed?: number | undefined;
  readonly tokens?: readonly string[] | undefined;
}

export interface LoadReport {
  /** Successful ones; all figures are of these, so refusals do not count. */
  readonly requests: number;
  /** Answers with another status, and requests without an answer. */
  readonly failures: number;
  /** The status of the last one, or `closed`; empty without failures. */
  readonly lastFailure: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Received bytes, heads included. */
  readonly bytes: number;
  readonly clientCpuUs: number;
  /** The generator's use of its core: near 1, it is the limit, not the server. */
  readonly clientUse: number;
  /** The maximum delay of an arrival in the open loop. */
  readonly latestMs: number;
}

/**
 * A separate process for load: its CPU is not the server's and can be counted, and its code is compiled after the first
 * load.
 */
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

  /** Resolves when connections are open and nothing has been sent; `go` starts. */
  async open(load: Load): Promise<{ readonly go: () => Promise<LoadReport> }> {
    this.#process.send(load);
    await this.#hear();
    return {
      go: async () => {
        this.#process.send('go');
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- load-process.ts sends a report after `go`.
        const report = (await this.#hear()) as LoadReport;
        if (report.requests === 0) throw new Error(`all ${report.failures} requests failed`);
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

/** One load, from its own process. */
export async function runLoad(load: Load, signal: AbortSignal): Promise<LoadReport> {
  const generator = LoadGenerator.start(signal);
  try {
    const loading = await generator.open(load);
    return await loading.go();
  } finally {
    generator.stop();
  }
}
