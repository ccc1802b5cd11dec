import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { pino } from 'pino';
import type { QueryResultRow } from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { withClient } from '../db/session.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { initCluster, makeUnfinished, markStandby, writeConfiguration } from './cluster-files.ts';
import { type PostgresProcess, startPostgres } from './postgres-process.ts';
import { backUp } from './rebuild.ts';
import { databaseName, renderPostgresConf, roles, settingsFor, type Role } from './settings.ts';
import { removeSlot } from './slot.ts';
import { withSession } from './sql.ts';
import { makeTestFolder } from './test-folder.ts';
import { poll } from './wait.ts';
import { findPort } from '../process/port.ts';

const log = pino({ level: 'silent' });
const startMs = 20_000;
const session = { applicationName: 'test', connectTimeoutMs: 2_000, statementTimeoutMs: 15_000 };

/** A PostgreSQL server as operators have them: on a port of the loopback; tests start, stop and promote it. */
export class TestServer {
  readonly endpoint: Endpoint;
  readonly #binaries: Binaries;
  readonly #folder: string;
  readonly #slot = `test_${randomBytes(6).toString('hex')}`;
  #dir = '';
  #process: PostgresProcess | undefined;

  private constructor(binaries: Binaries, folder: string, endpoint: Endpoint) {
    this.#binaries = binaries;
    this.#folder = folder;
    this.endpoint = endpoint;
  }

  /** A new primary with an empty database. The caller must call `remove`. */
  static async createPrimary(): Promise<TestServer> {
    const server = await TestServer.#create();
    server.#dir = await makeUnfinished(join(server.#folder, 'primary'));
    await initCluster(server.#binaries, server.#dir, AbortSignal.timeout(startMs));
    await server.#configure('primary', {});
    await server.start();
    await withSession(server.endpoint, async (client) => client.query(`create database ${databaseName}`));
    return server;
  }

  /** A new standby of any primary on this machine. The caller must call `remove`. */
  static async createStandby({ endpoint }: Pick<TestServer, 'endpoint'>): Promise<TestServer> {
    const server = await TestServer.#create(endpoint.user, endpoint.database);
    await server.follow({ endpoint });
    return server;
  }

  /** A primary on the data directory that `make` makes. The caller must call `remove`. */
  static async onFiles(make: (dir: string) => Promise<void>): Promise<TestServer> {
    const server = await TestServer.#create();
    server.#dir = join(server.#folder, 'primary');
    await make(server.#dir);
    await server.#configure('primary', {});
    await server.start();
    return server;
  }

  /** As this user, on this database. */
  static async #create(user: string = roles.superuser, database = databaseName): Promise<TestServer> {
    const port = await findPort('127.0.0.1', 0);
    return new TestServer(await findBinaries(undefined), await makeTestFolder(), {
      host: '127.0.0.1',
      port,
      user,
      database,
    });
  }

  /** Of the postmaster; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const launch = { binaries: this.#binaries, role: 'primary', dir: this.#dir, log } as const;
    const signal = AbortSignal.timeout(startMs);
    // After a kill it refuses to start until the last of its old processes has ended.
    const attempt = async (): Promise<PostgresProcess | undefined> =>
      startPostgres(launch, signal).catch(() => undefined);
    this.#process = await poll(attempt, { everyMs: 50, signal });
  }

  /** Immediate, like a power failure; works on a frozen server, too. */
  async kill(): Promise<void> {
    const killed = this.#process;
    if (killed === undefined) return;
    this.#process = undefined;
    process.kill(killed.pid, 'SIGKILL');
    await killed.ended;
  }

  /** Replaces its files with a copy of this primary, and starts it as its standby. */
  async follow({ endpoint: primary }: Pick<TestServer, 'endpoint'>): Promise<void> {
    await this.kill();
    if (this.#dir !== '') await rm(this.#dir, { recursive: true, force: true });
    this.#dir = await makeUnfinished(join(this.#folder, 'standby'));
    await withSession(primary, async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('show data_directory');
      await backUp(rows[0]?.data_directory ?? '', this.#dir, client, AbortSignal.timeout(startMs), this.#slot);
    });
    await rm(join(this.#dir, 'postgresql.auto.conf'), { force: true }); // Settings made on the primary stay there.
    await markStandby(this.#dir);
    await this.#configure('standby', {
      primary_conninfo: `host='${primary.host}' port=${primary.port} user=${roles.superuser}`,
      primary_slot_name: this.#slot,
    });
    await this.start();
  }

  /** Runs one statement in its own session. */
  async sql<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return await withClient(
      { ...this.endpoint, user: roles.superuser },
      session,
      async (client) => (await client.query<Row>(text, [...values])).rows,
    );
  }

  /** Resolves when it accepts writes. */
  async promote(): Promise<void> {
    await this.sql('select pg_promote(true, 10)');
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The same for a standby whose primary stays. */
  async removeFrom(primary: Endpoint): Promise<void> {
    await this.remove();
    await withSession(primary, async (client) => removeSlot(client, AbortSignal.timeout(startMs), this.#slot));
  }

  async #configure(role: Role, overrides: Readonly<Record<string, string>>): Promise<void> {
    const access = join(this.#folder, 'pg_hba.conf');
    await writeFile(access, ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 trust\n`).join(''));
    const settings = settingsFor(role, {
      synchronousCommit: 'on',
      tuning: 'on',
      socketDir: this.#folder,
      overrides: {
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        hba_file: access,
        port: String(this.endpoint.port),
        shared_buffers: '16MB',
        fsync: 'off',
        ...overrides,
      },
    });
    await writeConfiguration(this.#dir, renderPostgresConf(settings));
  }
}
