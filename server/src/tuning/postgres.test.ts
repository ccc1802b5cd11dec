import assert from 'node:assert/strict';
import { test } from 'node:test';

import { postgresSettings, type Role } from '../embedded/settings.ts';
import { tunePostgres } from './postgres.ts';
import type { Profile, Tuned } from './profile.ts';

const gigabyte = 2 ** 30;
/** The machine of the guide, described with the flags of docs/operations.md. */
const guide: Profile = {
  memoryBytes: gigabyte,
  cpus: 8,
  workers: 8,
  instances: 1,
  storage: 'ssd',
  durability: 'off',
};

function valuesOf(role: Role, changes: Partial<Profile> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(tunePostgres(role, { ...guide, ...changes }).map(({ name, value }) => [name, value]));
}

const ofGuide = (all: readonly Tuned[]): Tuned[] => all.filter(({ reason }) => !reason.includes('(not in the guide)'));

test("for the guide's machine the primary gets the guide's table, and all else says that it is not from there", () => {
  const found = ofGuide(tunePostgres('primary', guide));
  assert.deepEqual(Object.fromEntries(found.map(({ name, value }) => [name, value])), {
    max_connections: '500',
    shared_buffers: '256MB',
    work_mem: '16MB',
    effective_cache_size: '512MB',
    synchronous_commit: 'off',
    checkpoint_completion_target: '0.9',
    idle_in_transaction_session_timeout: '30000',
  });
});

test("for the guide's machine the standby gets the guide's table, and all else says that it is not from there", () => {
  const found = ofGuide(tunePostgres('standby', guide));
  assert.deepEqual(Object.fromEntries(found.map(({ name, value }) => [name, value])), {
    max_connections: '500',
    shared_buffers: '256MB',
    work_mem: '16MB',
    effective_cache_size: '512MB',
    random_page_cost: '1.1',
  });
});

test('nothing of the table of settings is left out, and each has a reason of one line', () => {
  const { tuning, flatLists, replication } = postgresSettings;
  for (const role of ['primary', 'standby'] as const) {
    const all = tunePostgres(role, guide);
    const names = new Set(all.map(({ name }) => name));
    const table = [tuning.both, tuning[role], flatLists[role], replication.both, replication[role]];
    for (const name of table.flatMap((part) => Object.keys(part))) assert.ok(names.has(name), `${name} of ${role}`);
    for (const { name, reason } of all) assert.match(reason, /^[^\n]{10,}$/u, name);
  }
});

test('memory settings grow with the memory, and a sort within limits', () => {
  const large = valuesOf('primary', { memoryBytes: 64 * gigabyte });
  assert.deepEqual(
    [large['shared_buffers'], large['effective_cache_size'], large['work_mem'], large['max_connections']],
    ['16GB', '32GB', '64MB', '500'],
  );
  const small = valuesOf('primary', { memoryBytes: gigabyte / 4, workers: 2 });
  assert.deepEqual(
    [small['shared_buffers'], small['effective_cache_size'], small['work_mem'], small['max_connections']],
    ['64MB', '128MB', '4MB', '100'],
  );
});

test('many workers get more connections than the guide has, where the memory has room for them', () => {
  assert.equal(
    valuesOf('primary', { workers: 64, instances: 2, memoryBytes: 8 * gigabyte })['max_connections'],
    '1700',
  );
  assert.equal(
    valuesOf('standby', { workers: 64, instances: 2, memoryBytes: 8 * gigabyte })['max_connections'],
    '1700',
  );
});

test('both servers get the same number of connections: a standby with fewer would stop', () => {
  for (const memoryBytes of [gigabyte / 2, gigabyte, 8 * gigabyte]) {
    const [primary, standby] = (['primary', 'standby'] as const).map((role) => valuesOf(role, { memoryBytes }));
    assert.equal(primary?.['max_connections'], standby?.['max_connections']);
  }
});

test('a rotating disk keeps the default cost of a seek', () => {
  assert.equal(valuesOf('standby', { storage: 'hdd' })['random_page_cost'], '4.0');
});

test('durability is the choice of the operator, and what it costs is said', () => {
  const lineOf = (durability: 'on' | 'off'): Tuned | undefined =>
    tunePostgres('primary', { ...guide, durability }).find(({ name }) => name === 'synchronous_commit');
  assert.equal(lineOf('on')?.value, 'on');
  assert.match(lineOf('on')?.reason ?? '', /the guide has off/u);
  assert.match(lineOf('off')?.reason ?? '', /a crash loses/u);
});

test('few cores do not start more parallel workers than they can run', () => {
  assert.equal(valuesOf('primary', { cpus: 2 })['max_parallel_workers'], '2');
  assert.equal(valuesOf('primary')['max_parallel_workers'], undefined);
});
