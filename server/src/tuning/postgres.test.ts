import assert from 'node:assert/strict';
import { test } from 'node:test';

import { postgresSettings } from '../embedded/settings.ts';
import { tunePools } from './pools.ts';
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

function valuesOf(changes: Partial<Profile> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(tunePostgres({ ...guide, ...changes }).map(({ name, value }) => [name, value]));
}

test("the guide's machine gets the guide's table, with the connections and sorts that fit into its memory", () => {
  const found = tunePostgres(guide).filter(({ reason }) => !reason.includes('(not in the guide)'));
  assert.deepEqual(Object.fromEntries(found.map(({ name, value }) => [name, value])), {
    max_connections: '130',
    shared_buffers: '256MB',
    work_mem: '1MB',
    effective_cache_size: '512MB',
    checkpoint_completion_target: '0.9',
    idle_in_transaction_session_timeout: '30000',
    random_page_cost: '1.1',
    synchronous_commit: 'off',
  });
});

test('every setting of the table appears once, with a reason of one line', () => {
  const { tuning, flatLists, replication } = postgresSettings;
  const all = tunePostgres(guide);
  const names = new Set(all.map(({ name }) => name));
  assert.equal(names.size, all.length);
  for (const table of [tuning.both, tuning.primary, tuning.standby, flatLists, replication])
    for (const name of Object.keys(table)) assert.ok(names.has(name), name);
  for (const { name, reason } of all) assert.match(reason, /^[^\n]{10,}$/u, name);
});

test('a promoted standby has the settings of a primary, and a returning primary those of a standby', () => {
  const values = valuesOf();
  for (const [name, value] of [
    ['hot_standby_feedback', 'on'],
    ['wal_receiver_status_interval', '1s'],
    ['max_standby_streaming_delay', '3s'],
    ['autovacuum_naptime', '1s'],
    ['synchronous_commit', 'off'],
    ['idle_in_transaction_session_timeout', '30000'],
    ['random_page_cost', '1.1'],
  ] as const)
    assert.equal(values[name], value, name);
});

test('sizes grow with the memory, and 2GB do not get 500 connections with 32MB each', () => {
  const sizes = [gigabyte / 2, 2 * gigabyte, 16 * gigabyte, 64 * gigabyte].map((memoryBytes) => {
    const of = valuesOf({ memoryBytes, workers: 2 });
    return ['max_connections', 'work_mem', 'shared_buffers', 'maintenance_work_mem', 'max_wal_size'].map(
      (name) => of[name],
    );
  });
  assert.deepEqual(sizes, [
    ['50', '1MB', '128MB', '32MB', '1GB'],
    ['100', '4MB', '512MB', '128MB', '1GB'],
    ['500', '7MB', '4GB', '1GB', '8GB'],
    ['500', '35MB', '16GB', '2GB', '8GB'],
  ]);
});

test('WAL retained for a standby grows with the WAL between checkpoints', () => {
  assert.equal(valuesOf()['max_slot_wal_keep_size'], '1GB');
  assert.equal(valuesOf({ memoryBytes: 8 * gigabyte })['max_slot_wal_keep_size'], '4GB');
});

test('a rotating disk keeps the default cost of a seek', () => {
  assert.equal(valuesOf({ storage: 'hdd' })['random_page_cost'], '4.0');
});

test('durability is the choice of the operator, and its cost is reported', () => {
  const lineOf = (durability: 'on' | 'off'): Tuned | undefined =>
    tunePostgres({ ...guide, durability }).find(({ name }) => name === 'synchronous_commit');
  assert.equal(lineOf('on')?.value, 'on');
  assert.match(lineOf('on')?.reason ?? '', /the guide has off/u);
  assert.match(lineOf('off')?.reason ?? '', /a crash loses/u);
  const standby = valuesOf({ durability: 'standby' });
  assert.deepEqual([standby['synchronous_commit'], standby['synchronous_standby_names']], ['on', '*']);
  assert.equal(valuesOf({ durability: 'on' })['synchronous_standby_names'], undefined);
});

test('parallel workers are limited by cores and memory', () => {
  const of = (cpus: number, memoryBytes: number): (string | undefined)[] => {
    const values = valuesOf({ cpus, memoryBytes, workers: 1 });
    return ['max_worker_processes', 'max_parallel_workers', 'max_parallel_workers_per_gather'].map(
      (name) => values[name],
    );
  };
  assert.deepEqual(of(1, 8 * gigabyte), ['8', '0', '0']);
  assert.deepEqual(of(2, 8 * gigabyte), ['8', '2', '1']);
  assert.deepEqual(of(64, 8 * gigabyte), ['16', '16', '2']);
  assert.deepEqual(of(64, 256 * gigabyte), ['64', '64', '2']);
});

test("each pool has half of the connections of a server, at most the guide's number, and its formula as the reason", () => {
  const option = (changes: Partial<Profile>, name: string): Tuned | undefined =>
    tunePools({ ...guide, ...changes }).find((one) => one.name === name);
  assert.deepEqual(option({}, 'DB_WRITE_MAX_OPEN_CONNS'), {
    name: 'DB_WRITE_MAX_OPEN_CONNS',
    value: '6',
    reason:
      '(130 − 3 reserved by PostgreSQL − 26 for administration) / 8 workers / 2 pools: after a failover both pools are on one server; ' +
      "the guide's 100 would need 1600 connections",
  });
  assert.equal(option({ memoryBytes: 32 * gigabyte, workers: 1 }, 'DB_READ_MAX_OPEN_CONNS')?.value, '100');
  assert.equal(option({ memoryBytes: 32 * gigabyte, workers: 1 }, 'DB_READ_MAX_IDLE_CONNS')?.value, '50');
});
