import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EndpointPair } from '../src/db/endpoint.ts';
import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { postmaster, run, workersOf, type Run } from '../test/start-server.ts';
import { waitFor } from '../test/wait-for.ts';
import { settledUsers } from './calls.ts';
import { cpuUsOf } from './process-cpu.ts';

const startMs = 60_000;
const session = { applicationName: 'bench', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };

/** A whole server, started as an operator starts it, on a data folder that goes with it. */
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

  /** Resolves when it serves. `env` are its options beside the defaults. Leaves nothing behind when it fails. */
  static async start(env: Readonly<Record<string, string>>): Promise<BenchServer> {
    const folder = await mkdtemp(join(tmpdir(), 'messenger-bench-'));
    await chmod(folder, 0o755); // As root, the databases run as somebody else, who must get through.
    const dataDir = join(folder, 'data');
    const server = await run({
      args: ['start', '--port', '0', '--data-dir', dataDir],
      env: { LOG_LEVEL: 'warn', ...env },
    });
    try {
      await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
      if (server.hasEnded) throw new Error(`the server ended, saying:\n${server.stderr}`);
      return new BenchServer(server, folder, await embeddedEndpoints(dataDir));
    } catch (error) {
      await end(server, folder);
      throw error;
    }
  }

  /** Runs statements on the primary as superuser, then waits until the standby has them. */
  async prepare(...statements: readonly string[]): Promise<void> {
    await withClient({ ...this.endpoints.write, user: roles.superuser }, session, async (client) => {
      for (const text of statements) await client.query(text);
    });
    await this.#replicated();
  }

  /** Fills a new server; see `calls.ts` for the ids. */
  async settle(): Promise<void> {
    await this.prepare(insertUsers('settled', settledUsers), 'vacuum analyze users', 'checkpoint');
  }

  /** CPU microseconds so far. */
  cpuUs(): { readonly workers: number; readonly databases: number } {
    const postmasters = (['primary', 'standby'] as const).map((role) => postmaster(join(this.#folder, 'data'), role));
    return {
      workers: cpuUsOf(workersOf(this.#run.pid)),
      databases: cpuUsOf(postmasters.filter((pid) => pid !== undefined)),
    };
  }

  async stop(): Promise<void> {
    await end(this.#run, this.#folder);
  }

  async #replicated(): Promise<void> {
    const { read, write } = this.endpoints;
    const position = await withClient(write, session, async (client) => {
      const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
      return rows[0]?.lsn;
    });
    await withClient(read, session, async (client) => {
      await waitFor(
        'the standby to catch up',
        async () => {
          const { rows } = await client.query<{ done: boolean }>(
            'select pg_last_wal_replay_lsn() >= $1::pg_lsn as done',
            [position],
          );
          return rows[0]?.done === true;
        },
        startMs,
      );
    });
  }
}

/** Users `name 1` to `name count`, with ids made from these names, created one second apart. */
export function insertUsers(name: string, count: number): string {
  return `insert into users (id, first_name, last_name, created_at)
    select md5('${name} ' || n)::uuid, '${name}', n::text, now() - (${count} - n) * interval '1 second'
      from generate_series(1, ${count}) n`;
}

/** Deletes everybody but the settled users, whatever they are called now. */
export const deletePassing = `delete from users
  where id not in (select md5('settled ' || n)::uuid from generate_series(1, ${settledUsers}) n)`;

async function end(server: Run, folder: string): Promise<void> {
  if (!server.hasEnded) server.kill('SIGTERM');
  await server.ended();
  await rm(folder, { recursive: true, force: true });
}
