import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { EndpointPair } from '../../src/db/endpoint.ts';
import { roles } from '../../src/embedded/settings.ts';
import { postmaster } from '../../test/start-server.ts';
import { runStatements } from '../prepare.ts';

const program = fileURLToPath(new URL('../../test/run-databases.ts', import.meta.url));

interface Started extends EndpointPair {
  readonly dataDir: string;
}

/** The databases' work for the application so far. */
export interface DatabaseCounts {
  /** On both servers. */
  readonly statements: number;
  /** Transactions that wrote. */
  readonly commits: number;
}

/** One durable primary with its standby, for all sides of a comparison. */
export class SharedDatabases {
  /** With a migrated database. */
  readonly endpoints: EndpointPair;
  readonly postmasters: readonly number[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { write, read, dataDir }: Started) {
    this.#child = child;
    this.endpoints = { write, read };
    const pids = (['primary', 'standby'] as const).map((role) => postmaster(dataDir, role));
    this.postmasters = pids.filter((pid) => pid !== undefined);
    if (this.postmasters.length !== 2) throw new Error('the two postmasters were not found');
  }

  static async start(): Promise<SharedDatabases> {
    // In its own session: Ctrl-C ends the servers before their databases.
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    const child = spawn(process.execPath, [program, 'durable'], { stdio: [...stdio], detached: true });
    const line = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).once('line', line.resolve);
    child.once('exit', () => line.reject(new Error('the databases did not start')));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The output of run-databases.ts.
    return new SharedDatabases(child, JSON.parse(await line.promise) as Started);
  }

  /** Another database on the same servers, empty. */
  async createDatabase(name: string): Promise<EndpointPair> {
    const { write, read } = this.endpoints;
    await runStatements({ ...write, database: 'postgres' }, `create database ${name} owner ${roles.application}`);
    return { write: { ...write, database: name }, read: { ...read, database: name } };
  }

  /** Off by default, because counting costs some CPU per statement. */
  async countStatements(isOn: boolean): Promise<void> {
    const { write, read } = this.endpoints;
    if (isOn) await runStatements(write, 'create extension if not exists pg_stat_statements');
    const set = `alter system set pg_stat_statements.track = '${isOn ? 'all' : 'none'}'`;
    for (const endpoint of [write, read]) await runStatements(endpoint, set, 'select pg_reload_conf()');
  }

  async counts(): Promise<DatabaseCounts> {
    const { write, read } = this.endpoints;
    const calls = `select sum(calls)::float8 from pg_stat_statements where userid = '${roles.application}'::regrole`;
    const commits = 'select pg_snapshot_xmax(pg_current_snapshot())::text::float8';
    const [primary, standby] = await Promise.all([runStatements(write, calls), runStatements(read, calls)]);
    return {
      statements: Number(primary) + Number(standby),
      commits: Number(await runStatements(write, commits)),
    };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
