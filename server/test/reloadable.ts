import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { becomeTestUser } from '../src/embedded/test-folder.ts';
import { TestServer } from '../src/embedded/test-server.ts';
import { migrateUp } from '../src/db/migrations.ts';
import { migrationsDir } from '../src/prepare-databases.ts';
import { createLog } from '../src/telemetry/log.ts';
import { run, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });

/** Roles with a password and the rights of the application. */
export const [firstRole, secondRole] = ['reload_first', 'reload_second'];

/** METRICS_TOKEN of the start. */
export const firstToken = 'the-first-token-of-the-operator';

/** The result of `messenger reload`. */
export interface ReloadOutcome {
  readonly code: number | string;
  readonly text: string;
}

export interface ReloadableOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Appended to the configuration file of the start. */
  readonly yaml?: string;
}

/** A server with two workers on an operator's primary and standby, with the files that a reload reads. */
export class Reloadable {
  readonly primary: TestServer;
  readonly standby: TestServer;
  readonly #folder: string;
  readonly #servers: Run[] = [];

  private constructor(primary: TestServer, standby: TestServer, folder: string) {
    this.primary = primary;
    this.standby = standby;
    this.#folder = folder;
  }

  /** Resolves when it serves, as the first role. The caller must call `destroy`. */
  static async create({ env = {}, yaml = '' }: ReloadableOptions = {}): Promise<Reloadable> {
    await becomeTestUser();
    const primary = await TestServer.createPrimary();
    const standby = await TestServer.createStandby(primary);
    const system = new Reloadable(primary, standby, await mkdtemp(join(tmpdir(), 'messenger-reload-')));
    try {
      await system.#askForPasswords();
      await system.configure(`${system.hosts([primary], [standby])}${yaml}`);
      await system.writePassword('first');
      await system.writeToken(firstToken);
      await system.start(env);
    } catch (error) {
      await system.destroy();
      throw error;
    }
    return system;
  }

  get server(): Run {
    const [server] = this.#servers;
    assert(server, 'the server was started');
    return server;
  }

  /** The configuration of the databases' addresses and our user. */
  hosts(writes: readonly TestServer[], reads: readonly TestServer[], user = firstRole): string {
    const of = (name: string, servers: readonly TestServer[]): string => {
      const [hosts, ports] = [
        servers.map(({ endpoint }) => endpoint.host),
        servers.map(({ endpoint }) => endpoint.port),
      ];
      return `${name}: {user: ${user}, database: messenger, host: '${hosts.join(',')}', port: '${ports.join(',')}'}\n`;
    };
    return `${of('write_db', writes)}${of('read_db', reads)}`;
  }

  async configure(yaml: string): Promise<void> {
    await writeFile(this.#path('messenger.yaml'), yaml);
  }

  /** Writes the password file; the databases keep their password. */
  async writePassword(password: string): Promise<void> {
    await writeFile(this.#path('password'), password);
  }

  /** Changes a role's password in the databases; the file keeps its own. */
  async alterPassword(role: string, password: string): Promise<void> {
    await this.primary.sql(`alter role ${role} password '${password}'`);
    await this.replicated();
  }

  /** Writes the file of METRICS_TOKEN. */
  async writeToken(token: string): Promise<void> {
    await writeFile(this.#path('token'), token);
  }

  /** Runs `messenger reload`, for the first server or for another one. */
  async reload(server = 0): Promise<ReloadOutcome> {
    const command = await run({ args: ['reload'], env: { MESSENGER_RUN_DIR: this.#path(`run ${server}`) } });
    const code = await command.ended();
    return { code, text: `${command.stdout}${command.stderr}` };
  }

  /** Starts another server on the same databases and files, with its own run folder. Resolves when it serves. */
  async start(env: Readonly<Record<string, string>>): Promise<Run> {
    const number = this.#servers.length;
    const files = {
      MESSENGER_CONFIG: this.#path('messenger.yaml'),
      DB_WRITE_PASSWORD_FILE: this.#path('password'),
      DB_READ_PASSWORD_FILE: this.#path('password'),
      METRICS_TOKEN_FILE: this.#path('token'),
      MESSENGER_RUN_DIR: this.#path(`run ${number}`),
    };
    const args = ['start', '--port', '0'];
    const server = await run({ args, env: { WORKERS: '2', LOG_REQUESTS: '0', ...files, ...env } });
    this.#servers.push(server);
    await waitFor('the server to start', () => server.hasEnded || server.isServing);
    assert(!server.hasEnded, `the server ended with the output:\n${server.stderr}`);
    return server;
  }

  /** Resolves when the standby has replayed everything that is on the primary now. */
  async replicated(): Promise<void> {
    const [position] = await this.primary.sql<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
    await waitFor('the standby to replay everything', async () => {
      const [row] = await this.standby.sql<{ done: boolean }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [
        position?.lsn,
      ]);
      return row?.done === true;
    });
  }

  async destroy(): Promise<void> {
    for (const server of this.#servers) if (!server.hasEnded) server.kill('SIGTERM');
    await Promise.all(this.#servers.map(async (server) => server.ended()));
    await this.primary.remove();
    await this.standby.remove();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  /** Requires passwords for the two roles, like an operator's servers. */
  async #askForPasswords(): Promise<void> {
    for (const server of [this.primary, this.standby]) {
      const [row] = await server.sql<{ file: string }>(`select current_setting('hba_file') as file`);
      assert(row);
      const access = `host all ${firstRole},${secondRole} 127.0.0.1/32 scram-sha-256\n`;
      await writeFile(row.file, `${access}${await readFile(row.file, 'utf8')}`);
      await server.sql('select pg_reload_conf()');
    }
    await migrateUp({ endpoint: this.primary.endpoint, dir: migrationsDir, connectTimeoutMs: 5_000, log });
    await this.primary.sql('create role reload_application');
    for (const what of ['schema', 'all tables in schema', 'all sequences in schema'])
      await this.primary.sql(`grant all on ${what} public to reload_application`);
    await this.primary.sql(`create role ${firstRole} login password 'first' in role reload_application, pg_monitor`);
    await this.primary.sql(`create role ${secondRole} login password 'second' in role reload_application, pg_monitor`);
    await this.replicated();
  }
}
