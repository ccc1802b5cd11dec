/** The promise of DURABILITY=standby: a failover to the standby loses no acknowledged write. */
import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { calls, isOk } from './chaos/client.ts';
import { Random } from './chaos/random.ts';
import { System } from './chaos/system.ts';
import { waitFor } from './wait-for.ts';

const env = { DURABILITY: 'standby', DB_WRITE_TIMEOUT_MS: '1500', MAX_QUEUE_MS: '0' };
const seed = Date.now() % 1_000_000;

let system: System | undefined;
after(async () => system?.destroy());

/** Creates users until stopped: the acknowledged names, and the statuses of all answers. */
function writeTo(target: System): { readonly names: string[]; readonly statuses: number[]; stop(): Promise<void> } {
  const [names, statuses]: [string[], number[]] = [[], []];
  const over = new AbortController();
  const clients = Array.from({ length: 8 }, async (_, n) => {
    const client = target.client(1, new Random(seed + n));
    for (let count = 0; !over.signal.aborted; count += 1) {
      const name = `${n}-${statuses.length}-${count}`;
      const outcome = await client.call(calls.create(name, name));
      statuses.push(outcome.status);
      if (isOk(outcome)) names.push(name);
    }
    client.close();
  });
  return {
    names,
    statuses,
    stop: async () => {
      over.abort();
      await Promise.all(clients);
    },
  };
}

test('a write is acknowledged only when the standby has it, so that a failover loses none', async () => {
  const server = await System.create(env);
  system = server;
  const before = writeTo(server);
  await waitFor('writes', () => before.names.length > 100);
  await before.stop();

  const thaw = server.freeze('read');
  const alone = writeTo(server);
  // PostgreSQL answers a commit whose wait was cancelled with success: long before the deadline, yet it is no
  // acknowledgement.
  const cancel = `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`;
  await waitFor('a waiting commit to be cancelled', async () => (await server.sql('write', cancel)).length > 0);
  await waitFor('the primary to give writes up', () => alone.statuses.filter((status) => status === 504).length > 8);
  assert.deepEqual(alone.names, [], `seed ${seed}`);
  assert.match(server.log, /no standby confirmed the commit/u);
  thaw();
  await waitFor('writes to come back', () => alone.names.length > 20);
  await alone.stop();

  const last = writeTo(server);
  await waitFor('writes', () => last.names.length > 100);
  server.freeze('read');
  await waitFor('writes without a standby', () => last.statuses.includes(504));
  server.kill(server.processes());
  await last.stop();
  await rm(join(server.dataDir, 'primary'), { recursive: true });
  await rename(join(server.dataDir, 'standby'), join(server.dataDir, 'primary'));
  await rm(join(server.dataDir, 'primary', 'standby.signal'));
  await server.startAgain();
  const rows = await server.sql<{ name: string }>('write', 'select first_name as name from users');
  const found = new Set(rows.map(({ name }) => name));
  const acknowledged = [...before.names, ...alone.names, ...last.names];
  assert.deepEqual(
    acknowledged.filter((name) => !found.has(name)),
    [],
    `seed ${seed}`,
  );
});
