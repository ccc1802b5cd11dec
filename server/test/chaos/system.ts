import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { QueryResultRow } from 'pg';

import type { Endpoint } from '../../src/db/endpoint.ts';
import type { Role } from '../../src/db/pool.ts';
import { withClient } from '../../src/db/session.ts';
import { roles } from '../../src/embedded/settings.ts';
import { embeddedEndpoints } from '../../src/embedded/socket-folder.ts';
import { becomeTestUser } from '../../src/embedded/test-folder.ts';
import {
  childrenOf,
  isAlive,
  makeDatabases,
  postmaster,
  processesOf,
  run,
  workersOf,
  type Run,
} from '../start-server.ts';
import { copyPreparedData } from '../../src/embedded/test-data.ts';
import { waitFor } from '../wait-for.ts';
import { Client } from './client.ts';
import type { Random } from './random.ts';

const startMs = 60_000;
const session = { applicationName: 'chaos', connectTimeoutMs: 5_000, statementTimeoutMs: 60_000 };

const databaseOf = { write: 'primary', read: 'standby' } as const;

/** A whole server as a user starts it, with two workers and both databases, on a temporary folder. */
export class System {
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #openFiles: number | undefined;
  /** Frozen by us: they cannot exit by themselves, so their ids cannot be reused. */
  readonly #frozen = new Set<number>();
  #run: Run | undefined;

  private constructor(folder: string, env: Readonly<Record<string, string>>, openFiles: number | undefined) {
    this.#folder = folder;
    this.#env = env;
    this.#openFiles = openFiles;
  }

  /** Resolves when it serves. The caller must call `destroy`. */
  static async create(env: Readonly<Record<string, string>> = {}, openFiles?: number): Promise<System> {
    await becomeTestUser(); // Tests add their own standbys to the system's databases.
    const folder = await mkdtemp(join(tmpdir(), 'messenger-chaos-'));
    await chmod(folder, 0o755);
    const system = new System(folder, env, openFiles);
    try {
      await copyPreparedData('server', system.dataDir, makeDatabases);
      await system.start();
    } catch (error) {
      await system.destroy();
      throw error;
    }
    return system;
  }

  get dataDir(): string {
    return join(this.#folder, 'data');
  }

  /** The server's configuration file, empty unless a test writes it. */
  get configFile(): string {
    return join(this.#folder, 'messenger.yaml');
  }

  get url(): string {
    return this.#running.url;
  }

  /** The server's output since its last start. */
  get log(): string {
    return this.#running.stderr;
  }

  get supervisor(): number {
    return this.#running.pid;
  }

  get workers(): number[] {
    return workersOf(this.supervisor);
  }

  /** The postmaster of this role, followed by its children. Empty while it is down. */
  databaseProcesses(role: Role): number[] {
    const parent = postmaster(this.dataDir, databaseOf[role]);
    return parent === undefined ? [] : [parent, ...childrenOf(parent)];
  }

  async start(): Promise<void> {
    const args = ['start', '--port', '0', '--workers', '2', '--data-dir', this.dataDir, '--config', this.configFile];
    await writeFile(this.configFile, '', { flag: 'a', mode: 0o644 });
    const server = await run({ args, env: this.#env, openFiles: this.#openFiles });
    this.#run = server;
    await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
    if (server.hasEnded) throw new Error(`the server ended with the output:\n${server.stderr}`);
    await this.ready();
  }

  /** Resolves when a worker is ready. */
  async ready(): Promise<void> {
    await waitFor(
      'readiness',
      async () => {
        const answer = await fetch(`${this.url}/readyz`, { headers: { connection: 'close' } }).catch(() => undefined);
        await answer?.text().catch(() => '');
        return answer?.status === 200;
      },
      startMs,
    );
  }

  /** After a kill of everything: kills processes born in that instant, and restarts. */
  async startAgain(): Promise<void> {
    await this.#end();
    await this.start();
  }

  /** All processes, the databases first: their guardians must not have time for a graceful stop. */
  processes(): number[] {
    const { pid } = this.#running;
    const databases = [...this.databaseProcesses('write'), ...this.databaseProcesses('read')];
    const rest = processesOf(this.#folder).map((one) => one.pid);
    return [...new Set([...databases, ...rest, ...workersOf(pid), ...(this.#running.hasEnded ? [] : [pid])])];
  }

  /** Kills all of these at once. */
  kill(pids: readonly number[]): void {
    for (const pid of pids) kill(pid, 'SIGKILL');
  }

  /**
   * Freezes a database: first its postmaster, so that it starts no more children. Returns a function that resumes it.
   */
  freeze(role: Role): () => void {
    const parents = this.databaseProcesses(role).slice(0, 1);
    for (const pid of parents) this.#stop(pid);
    const children = parents.flatMap(childrenOf);
    for (const pid of children) this.#stop(pid);
    return () => {
      for (const pid of [...children, ...parents]) {
        kill(pid, 'SIGCONT');
        this.#frozen.delete(pid);
      }
    };
  }

  /** A client of this server, or of another one on its databases. */
  client(connections: number, random: Random, url: string = this.url): Client {
    return new Client({ url, connections, random });
  }

  /** Restarts it with `pg_stat_statements` on both servers. */
  async countStatements(): Promise<void> {
    const load = `alter system set shared_preload_libraries = 'pg_stat_statements'`;
    await Promise.all([this.sql('write', load), this.sql('read', load)]);
    await this.startAgain();
    await this.sql('write', 'create extension pg_stat_statements');
    await this.replicated();
  }

  async endpoint(role: Role): Promise<Endpoint> {
    return (await embeddedEndpoints(this.dataDir))[role];
  }

  /** Runs one statement as superuser, in its own session. */
  async sql<Row extends QueryResultRow>(role: Role, text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return await withClient(
      { ...(await this.endpoint(role)), user: roles.superuser },
      session,
      async (client) => (await client.query<Row>(text, [...values])).rows,
    );
  }

  /** Resolves when the standby has replayed everything that is on the primary now. */
  async replicated(): Promise<void> {
    const [position] = await this.sql<{ lsn: string }>('write', 'select pg_current_wal_flush_lsn()::text as lsn');
    const asked = `select coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false) as done`;
    await waitFor('the standby to replay everything', async () => {
      const [row] = await this.sql<{ done: boolean }>('read', asked, [position?.lsn]).catch(() => []);
      return row?.done === true;
    });
  }

  /** Kills it in whatever state it is, and removes its files. */
  async destroy(): Promise<void> {
    if (this.#run !== undefined) await this.#end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    const all = [...this.processes(), ...this.#frozen];
    this.kill(all);
    await this.#running.ended();
    await waitFor('all processes to be gone', () => processesOf(this.#folder).length === 0);
    await waitFor('every process to be gone', () => !all.some(isAlive));
  }

  get #running(): Run {
    if (this.#run === undefined) throw new Error('the server was not started');
    return this.#run;
  }

  #stop(pid: number): void {
    this.#frozen.add(pid);
    kill(pid, 'SIGSTOP');
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}

/** Gives `use` a server, and always ends it. `openFiles` limits the open files of each process. */
export async function withSystem<T>(
  use: (system: System) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
  openFiles?: number,
): Promise<T> {
  const system = await System.create(env, openFiles);
  try {
    return await use(system);
  } finally {
    await system.destroy();
  }
}
