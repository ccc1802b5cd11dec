import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { pino } from 'pino';

import type { Endpoint } from '../db/endpoint.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { makeUnfinished, markStandby, writeConfiguration } from './cluster-files.ts';
import { type PostgresProcess, startPostgres } from './postgres-process.ts';
import { backUp } from './rebuild.ts';
import { embeddedPorts, renderPostgresConf, settingsFor } from './settings.ts';
import { removeSlot } from './slot.ts';
import { withSession } from './sql.ts';
import { makeTestFolder } from './test-folder.ts';
import { poll } from './wait.ts';

const log = pino({ level: 'silent' });
const startMs = 20_000;

/** An additional standby of a running embedded primary, with its own slot and folder. */
export class TestStandby {
  readonly endpoint: Endpoint;
  readonly #primary: Endpoint;
  readonly #binaries: Binaries;
  readonly #folder: string;
  readonly #dir: string;
  readonly #slot: string;
  #process: PostgresProcess | undefined;

  private constructor(primary: Endpoint, binaries: Binaries, place: { folder: string; dir: string; sockets: string }) {
    this.endpoint = { ...primary, host: place.sockets, port: embeddedPorts.standby };
    this.#primary = primary;
    this.#binaries = binaries;
    this.#folder = place.folder;
    this.#dir = place.dir;
    this.#slot = `test_${randomBytes(6).toString('hex')}`;
  }

  /** Resolves when it accepts reads; its database and user are those of `primary`. The caller must call `remove`. */
  static async create(primary: Endpoint): Promise<TestStandby> {
    const binaries = await findBinaries(undefined);
    const folder = await makeTestFolder();
    const dir = await makeUnfinished(join(folder, 'standby'));
    const sockets = await makeUnfinished(join(folder, 'run'));
    const standby = new TestStandby(primary, binaries, { folder, dir, sockets });
    await standby.#makeFiles();
    await standby.start();
    return standby;
  }

  /** Of the postmaster, while it runs. */
  get pid(): number {
    if (this.#process === undefined) throw new Error('the standby does not run');
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const launch = { binaries: this.#binaries, role: 'standby', dir: this.#dir, log } as const;
    const signal = AbortSignal.timeout(startMs);
    // After a kill it refuses to start until the last of its old processes has ended.
    const attempt = async (): Promise<PostgresProcess | undefined> =>
      startPostgres(launch, signal).catch(() => undefined);
    this.#process = await poll(attempt, { everyMs: 50, signal });
  }

  /** Immediate, like `kill -9`. */
  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.#process?.ended;
  }

  async remove(): Promise<void> {
    await this.#process?.stop(AbortSignal.abort());
    await withSession(this.#primary, async (client) => removeSlot(client, AbortSignal.timeout(startMs), this.#slot));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #makeFiles(): Promise<void> {
    const signal = AbortSignal.timeout(startMs);
    await withSession(this.#primary, async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('show data_directory');
      await backUp(rows[0]?.data_directory ?? '', this.#dir, client, signal, this.#slot);
    });
    await markStandby(this.#dir);
    await writeConfiguration(this.#dir, renderPostgresConf(this.#settings()));
  }

  #settings(): ReturnType<typeof settingsFor> {
    return settingsFor('standby', {
      synchronousCommit: 'on',
      tuning: 'on',
      socketDir: this.#primary.host,
      overrides: {
        unix_socket_directories: this.endpoint.host,
        primary_slot_name: this.#slot,
        shared_buffers: '64MB',
        fsync: 'off',
      },
    });
  }
}
