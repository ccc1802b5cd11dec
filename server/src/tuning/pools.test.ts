import assert from 'node:assert/strict';
import { test } from 'node:test';

import { planConnections } from '../db/connection-budget.ts';
import { tuneMaxConnections } from './connections.ts';
import { tunePools } from './pools.ts';
import type { Profile, Tuned } from './profile.ts';

const guide: Profile = {
  memoryBytes: 2 ** 30,
  cpus: 8,
  workers: 8,
  instances: 1,
  storage: 'ssd',
  durability: 'off',
};

function option(profile: Profile, name: string): Tuned {
  const found = tunePools(profile).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

test("the guide's machine gets pools that fit, and the reason why they are not the guide's 100", () => {
  const { value, reason } = option(guide, 'DB_WRITE_MAX_OPEN_CONNS');
  assert.equal(value, '49');
  assert.equal(
    reason,
    "(500 − 3 reserved by PostgreSQL − 100 for administration) / 8 workers; the guide's 100 would be 800 on the primary, more than it has",
  );
  assert.equal(option(guide, 'DB_READ_MAX_IDLE_CONNS').value, '24');
});

test("few workers get the guide's own numbers", () => {
  const few = { ...guide, workers: 2 };
  assert.equal(option(few, 'DB_READ_MAX_OPEN_CONNS').value, '100');
  assert.equal(option(few, 'DB_READ_MAX_IDLE_CONNS').value, '50');
});

test('the pools of every set-up fit as the start of the server counts, all instances together', () => {
  for (const workers of [1, 2, 8, 64, 256])
    for (const instances of [1, 3, 20])
      for (const memoryBytes of [2 ** 28, 2 ** 30, 2 ** 36]) {
        const profile = { ...guide, workers, instances, memoryBytes };
        if (workers * instances * 25 * 2 ** 20 > memoryBytes * 0.7) continue; // Refused: see the test below.
        const maxConnections = tuneMaxConnections(profile).count;
        const maxOpen = Number(option(profile, 'DB_WRITE_MAX_OPEN_CONNS').value);
        const server = { name: 'it', maxConnections, reservedByServer: 3, reserve: undefined };
        const wish = { role: 'write', maxOpen, askedBy: 'DB_WRITE_MAX_OPEN_CONNS' } as const;
        assert.deepEqual(planConnections(server, workers * instances, [wish]).problems, []);
        assert.ok(maxOpen >= 10, `${maxOpen} connections for a worker`);
      }
});

test('workers whose connections do not fit into the memory are refused with the arithmetic', () => {
  assert.throws(
    () => tuneMaxConnections({ ...guide, workers: 256, instances: 20 }),
    /5120 workers need max_connections = 64100, .* room for 384/u,
  );
  assert.throws(
    () => tuneMaxConnections({ ...guide, memoryBytes: 2 ** 44, workers: 256, instances: 1_000 }),
    /262143/u,
  );
});
