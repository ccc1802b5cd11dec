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

/** Roles that log in with a password, with the rights of the application. */
export const [firstRole, secondRole] = ['reload_first', 'reload_second'];

/** How `messenger reload` ended. */
export interface ReloadOutcome {
  readonly code: number | string;
  readonly text: string;
}

export interface ReloadableOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Adds to the configuration file of the start. */
  readonly yaml?: string;
}

/** A server of two workers on an operator's primary and standby, with the files that a reload reads. */
export class Reloadable {
  readonly primary: TestServer;
  readonly standby: TestServer;
  readonly #folder: string;
  #server: Run | undefined;

  private constructor(primary: TestServer, standby: TestServer, folder: string) {
    this.primary = primary;
    this.standby = standby;
    this.#folder = folder;
  }

  /** Resolves when it serves, as the first role. Whoever calls this calls `destroy`. */
  static async create({ args = [], env = {}, yaml = '' }: ReloadableOptions = {}): Promise<Reloadable> {
    await becomeTestUser();
    const primary = await TestServer.createPrimary();
    const standby = await TestServer.createStandby(primary);
    const system = new Reloadable(primary, standby, await mkdtemp(join(tmpdir(), 'messenger-reload-')));
    try {
      await system.#askForPasswords();
      await system.configure(`${system.hosts([primary], [standby])}${yaml}`);
      await system.#start(args, env);
    } catch (error) {
      await system.destroy();
      throw error;
    }
    return system;
  }

  get server(): Run {
    assert(this.#server, 'the server was started');
    return this.#server;
  }

  /** The part of the configuration that says where the databases are, and who we are there. */
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
    await writeFile(join(this.#folder, 'messenger.yaml'), yaml);
  }

  /** Writes the file of the password; the databases keep theirs. */
  async writePassword(password: string): Promise<void> {
    await writeFile(join(this.#folder, 'password'), password);
  }

  /** The databases take another password for a role from now on; the file keeps its own. */
  async alterPassword(role: string, password: string): Promise<void> {
    await this.primary.sql(`alter role ${role} password '${password}'`);
    await this.replicated();
  }

  /** Runs `messenger reload`. */
  async reload(): Promise<ReloadOutcome> {
    const command = await run({ args: ['reload'], env: { MESSENGER_RUN_DIR: join(this.#folder, 'run') } });
    const code = await command.ended();
    return { code, text: `${command.stdout}${command.stderr}` };
  }

  /** Resolves when the standby has everything that is on the primary now. */
  async replicated(): Promise<void> {
    const [position] = await this.primary.sql<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
    await waitFor('the standby to have it all', async () => {
      const [row] = await this.standby.sql<{ done: boolean }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [
        position?.lsn,
      ]);
      return row?.done === true;
    });
  }

  async destroy(): Promise<void> {
    if (this.#server !== undefined && !this.#server.hasEnded) this.#server.kill('SIGTERM');
    await this.#server?.ended();
    await this.primary.remove();
    await this.standby.remove();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
    await this.writePassword('first');
    const [yaml, secret] = [join(this.#folder, 'messenger.yaml'), join(this.#folder, 'password')];
    const files = { MESSENGER_CONFIG: yaml, DB_WRITE_PASSWORD_FILE: secret, DB_READ_PASSWORD_FILE: secret };
    const server = await run({
      args: ['start', '--port', '0', ...args],
      env: { WORKERS: '2', LOG_REQUESTS: '0', MESSENGER_RUN_DIR: join(this.#folder, 'run'), ...files, ...env },
    });
    this.#server = server;
    await waitFor('the server to start', () => server.hasEnded || server.isServing, 30_000);
    assert(!server.hasEnded, `the server ended, saying:\n${server.stderr}`);
  }

  /** Lets the two roles in by their passwords alone, as an operator's servers do. */
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
