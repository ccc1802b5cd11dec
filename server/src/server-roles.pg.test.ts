import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { useDatabase } from '../test/database.ts';
import type { Endpoint } from './db/endpoint.ts';
import { monotonicClock } from './lib/clock.ts';
import { ServerRoles } from './server-roles.ts';
import { createLog } from './telemetry/log.ts';

const database = useDatabase();
const log = createLog({ level: 'silent', name: 'test', pretty: false });

async function namesOf(write: Endpoint, reads: readonly Endpoint[]): Promise<readonly (readonly [string, string])[]> {
  const watched = () => ({ write, reads, applicationName: 'roles test', prepare: true });
  const roles = new ServerRoles({ watched, durability: 'disk', record: () => undefined, clock: monotonicClock, log });
  await roles.start();
  const servers = roles.servers().map(({ name, endpoint }) => [name, endpoint.host] as const);
  await roles.stop();
  return servers;
}

test('a read host that leads to the primary is shown as the standby only if there is none', async (t) => {
  const { write, read } = database().endpoints;
  const folder = await mkdtemp(join(tmpdir(), 'messenger-roles-'));
  t.after(async () => rm(folder, { recursive: true }));
  const second = { ...write, host: join(folder, 'second') };
  await symlink(write.host, second.host);
  const primary = ['primary', write.host];
  assert.deepEqual(await namesOf(write, [second]), [primary, ['standby', second.host]]);
  assert.deepEqual(await namesOf(write, [second, read]), [primary, ['standby', read.host]]);
  assert.deepEqual(await namesOf(write, [write]), [primary], 'no standby is wanted');
});
