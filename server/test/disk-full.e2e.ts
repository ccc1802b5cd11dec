/** A server while its disk is full, and after space was freed. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { withClient } from '../src/db/session.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { cannotMount, mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { postmaster, useServers, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const session = { applicationName: 'disk test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
const MiB = 1_048_576;

let disk: SmallDisk | undefined;
after(async () => disk?.remove());

/** Users whose creation was acknowledged, and the statuses of all other answers. */
class Load {
  readonly acknowledged: string[] = [];
  readonly statuses = new Map<string, number>();
  readonly #url: string;
  readonly #over = new AbortController();
  readonly #clients: Promise<void>[];

  constructor(url: string) {
    this.#url = url;
    this.#clients = [1, 2, 3, 4].map(async () => this.#write()).concat(this.#read());
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#clients);
  }

  count(what: string): number {
    return this.statuses.get(what) ?? 0;
  }

  #note(what: string): void {
    this.statuses.set(what, this.count(what) + 1);
  }

  async #write(): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    while (!this.#over.signal.aborted) {
      const body = JSON.stringify({ first_name: 'x'.repeat(60), last_name: 'y'.repeat(60) });
      const answer = await fetch(`${this.#url}/api/v1/users`, { method: 'POST', headers, body });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With another shape, the comparison fails.
      const { id } = (await answer.json()) as { id?: string };
      this.#note(`POST ${answer.status}`);
      if (answer.status === 201) this.acknowledged.push(id ?? 'no id');
    }
  }

  async #read(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const answer = await fetch(`${this.#url}/api/v1/users?limit=5`);
      const text = await answer.text();
      this.#note(answer.status === 200 ? 'GET 200' : `GET ${answer.status}: ${text}`);
    }
  }
}

async function idsOn(dataDir: string, role: 'write' | 'read'): Promise<Set<string>> {
  const endpoint = (await embeddedEndpoints(dataDir))[role];
  const rows = await withClient(endpoint, session, async (client) =>
    client.query<{ id: string }>('select id::text as id from users'),
  );
  return new Set(rows.rows.map(({ id }) => id));
}

/** Writes WAL until the disk is full and the primary ends. */
async function fillWithLog(dataDir: string): Promise<void> {
  const { write } = await embeddedEndpoints(dataDir);
  const emit = `select pg_logical_emit_message(false, 'fill', repeat('x', ${MiB}))`;
  await withClient(write, session, async (client) => {
    for (let written = 0; written < 256; written += 1) await client.query(emit);
  }).catch(() => undefined);
}

async function metricsOf(server: Run): Promise<string> {
  return await (await fetch(`${server.url}/metrics`)).text();
}

test(
  'while the disk is full reads continue and writes are refused; all recovers once there is room',
  {
    skip: cannotMount,
  },
  async () => {
    const small = await mountSmallDisk(512);
    disk = small;
    const dataDir = join(small.folder, 'data');
    const server = await servers.start(dataDir, { env: { MAX_QUEUE_MS: '0' } });
    const load = new Load(server.url);
    await waitFor('some writes', () => load.acknowledged.length > 50);
    const endsBefore = postmaster(dataDir, 'primary');

    await small.leave(6 * MiB);
    await fillWithLog(dataDir);
    await waitFor(
      'the primary to be given another chance seven times',
      () => /"failures":7,/u.test(server.stderr),
      60_000,
    );
    assert.equal(server.hasEnded, false);
    assert.match(server.stderr, /"kind":"disk_full"[^\n]*the primary is down: its disk is full/u);
    const [refused, read] = [load.count('POST 503'), load.count('GET 200')];
    await waitFor(
      'reads continue and writes are refused',
      () => load.count('POST 503') > refused && load.count('GET 200') > read + 20,
    );
    assert.deepEqual(
      [...load.statuses.keys()].filter((what) => what.startsWith('GET ')),
      ['GET 200'],
    );
    const metrics = await metricsOf(server);
    assert.match(metrics, /^messenger_embedded_fault\{server="primary",reason="disk_full"\} 1$/mu);
    assert.match(metrics, /^messenger_embedded_disk_size_bytes\{server="standby"\} 536870912$/mu);

    const acknowledged = load.acknowledged.length;
    await small.free();
    await waitFor('writes to come back', () => load.acknowledged.length > acknowledged + 50, 60_000);
    await load.stop();
    assert.notEqual(postmaster(dataDir, 'primary'), endsBefore);
    assert.deepEqual(
      [...load.statuses.keys()].toSorted(),
      ['GET 200', 'POST 201', 'POST 503', 'POST 504'].filter((what) => load.statuses.has(what)),
    );
    const missing = async (role: 'write' | 'read'): Promise<string[]> => {
      const found = await idsOn(dataDir, role);
      return load.acknowledged.filter((id) => !found.has(id));
    };
    assert.deepEqual(await missing('write'), []);
    await waitFor('the standby to have them all', async () => (await missing('read')).length === 0);
    assert.doesNotMatch(server.stderr, /rebuilding the standby/u);
    assert.doesNotMatch(await metricsOf(server), /^messenger_embedded_fault/mu);
    server.kill('SIGTERM');
    assert.equal(await server.ended(), 0);
  },
);
