import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EndpointPair } from '../src/db/endpoint.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { feedOf, main, postmaster, run, workersOf, type Run } from '../test/start-server.ts';
import { waitFor } from '../test/wait-for.ts';
import { prepare, settle } from './prepare.ts';
import { cpuUsOf } from './process-cpu.ts';

const startMs = 60_000;

/** A whole server, started as by an operator, on a temporary data folder. */
export class BenchServer {
  readonly endpoints: EndpointPair;
  readonly port: number;
  readonly #run: Run;
  readonly #folder: string;

  private constructor(server: Run, folder: string, endpoints: EndpointPair) {
    this.#run = server;
    this.#folder = folder;
    this.endpoints = endpoints;
    this.port = Number(new URL(server.url).port);
  }

  /**
   * Resolves when it serves. `env` are options beside the defaults, `program` that of another checkout. Leaves nothing
   * behind on failure.
   */
  static async start(env: Readonly<Record<string, string>>, program = main): Promise<BenchServer> {
    const folder = await mkdtemp(join(tmpdir(), 'messenger-bench-'));
    await chmod(folder, 0o755); // As root, the databases run as another user, who needs access.
    const dataDir = join(folder, 'data');
    const server = await run({
      program,
      args: ['start', '--port', '0', '--data-dir', dataDir],
      env: { LOG_LEVEL: 'warn', ...env },
    });
    try {
      await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
      if (server.hasEnded) throw new Error(`the server ended with the output:\n${server.stderr}`);
      return new BenchServer(server, folder, await embeddedEndpoints(dataDir));
    } catch (error) {
      await end(server, folder);
      throw error;
    }
  }

  /** Runs statements on the primary as superuser, then waits until the standby has replayed them. */
  async prepare(...statements: readonly string[]): Promise<void> {
    await prepare(this.endpoints, ...statements);
  }

  /** Fills a new server; `calls.ts` has the ids. */
  async settle(): Promise<void> {
    await this.prepare(...settle);
  }

  /** CPU microseconds so far. */
  cpuUs(): { readonly workers: number; readonly databases: number } {
    const postmasters = (['primary', 'standby'] as const).map((role) => postmaster(join(this.#folder, 'data'), role));
    return {
      workers: cpuUsOf(workersOf(this.#run.pid)),
      databases: cpuUsOf(postmasters.filter((pid) => pid !== undefined)),
    };
  }

  /** Of the process of the feed. */
  get feedPid(): number {
    const pid = feedOf(this.#run.pid);
    if (pid === undefined) throw new Error('the server has no feed');
    return pid;
  }

  /** The supervisor starts others. */
  killWorkers(): void {
    for (const pid of workersOf(this.#run.pid)) process.kill(pid, 'SIGKILL');
  }

  /** Runs a task while this worker, counted from 1, does not respond: another one accepts connections. At most 4 s. */
  async whileFrozen<T>(worker: number, task: () => Promise<T>): Promise<T> {
    const pid = workersOf(this.#run.pid).toSorted((a, b) => a - b)[worker - 1];
    if (pid === undefined) throw new Error(`there is no worker ${worker}`);
    process.kill(pid, 'SIGSTOP');
    try {
      return await task();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  async stop(): Promise<void> {
    await end(this.#run, this.#folder);
  }
}

async function end(server: Run, folder: string): Promise<void> {
  if (!server.hasEnded) server.kill('SIGTERM');
  await server.ended();
  await rm(folder, { recursive: true, force: true });
}
