import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { planConnections } from '../db/connection-budget.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { maxWorkers, planMemory, reservedByServer } from './memory.ts';
import { parseMemorySize } from './memory-size.ts';
import { tunePools } from './pools.ts';
import { tunePostgres } from './postgres.ts';
import type { Profile } from './profile.ts';

const megabyte = 2 ** 20;
const gigabyte = 2 ** 30;

const machines = fc.record({
  memoryBytes: fc.integer({ min: 512, max: 512 * 1024 }).map((megabytes) => megabytes * megabyte),
  cpus: fc.integer({ min: 1, max: 128 }),
  instances: fc.integer({ min: 1, max: 3 }),
  storage: fc.constantFrom('ssd', 'hdd'),
  durability: fc.constantFrom('on', 'off', 'standby'),
});

/** With the default number of workers: one per core, as far as their connections fit. */
const profiles = machines.map((machine): Profile => ({
  ...machine,
  workers: Math.min(machine.cpus, maxWorkers(machine)),
}));

/** The printed values as numbers; sizes in bytes. */
function numbersOf(profile: Profile): Readonly<Record<string, number>> {
  const all = [...tunePostgres(profile), ...tunePools(profile)];
  return Object.fromEntries(all.map(({ name, value }) => [name, parseMemorySize(value) ?? Number(value)]));
}

test('with every session active, the printed settings fit into the memory: 512MB to 512GB, 1 to 128 cores', () => {
  fc.assert(
    fc.property(profiles, (profile) => {
      const of = numbersOf(profile);
      const at = (name: string): number => of[name] ?? Number.NaN;
      const sessions = at('max_connections') + at('max_parallel_workers');
      const taken =
        at('shared_buffers') +
        sessions * (2 * megabyte + 2 * at('work_mem')) +
        at('maintenance_work_mem') +
        3 * at('autovacuum_work_mem');
      assert.ok(taken <= profile.memoryBytes * 0.875, `${taken / megabyte} MB, and an eighth for the system`);
      assert.ok(at('work_mem') >= megabyte && at('work_mem') <= 64 * megabyte);
      assert.ok(at('max_worker_processes') >= at('max_parallel_workers'));
      assert.ok(at('min_wal_size') < at('max_wal_size') && at('max_slot_wal_keep_size') >= at('max_wal_size'));
    }),
    { numRuns: 1_000 },
  );
});

test('the pools to both servers fit into one of them, as after a failover', () => {
  fc.assert(
    fc.property(profiles, (profile) => {
      const of = numbersOf(profile);
      const server = {
        name: 'it',
        maxConnections: of['max_connections'] ?? 0,
        reservedByServer,
        reserve: undefined,
      };
      const requests = (['write', 'read'] as const).map((role) => ({
        role,
        maxOpen: of[`DB_${role.toUpperCase()}_MAX_OPEN_CONNS`] ?? 0,
        askedBy: 'tune',
      }));
      const { problems, reloadNotes } = planConnections(server, profile.workers * profile.instances, requests);
      assert.deepEqual([...problems, ...reloadNotes], []);
      assert.ok(requests.every(({ maxOpen }) => maxOpen >= 6 && maxOpen <= 100));
    }),
  );
});

const guide: Profile = {
  memoryBytes: gigabyte,
  cpus: 8,
  workers: 8,
  instances: 1,
  storage: 'ssd',
  durability: 'on',
};

test('workers whose connections do not fit into the memory are refused with the calculation', () => {
  assert.throws(
    () => planMemory({ ...guide, workers: 256, instances: 20 }),
    (error: unknown) =>
      error instanceof OperatorError &&
      /^5120 workers need max_connections = 76810, .* 1GB has room for 130, at 4MB each/u.test(error.message),
  );
  assert.throws(() => planMemory({ ...guide, memoryBytes: 2 ** 44, workers: 256, instances: 1_000 }), /262143/u);
});

test('more memory never halves connections or sorts', () => {
  fc.assert(
    fc.property(profiles, (profile) => {
      const [one, double] = [profile, { ...profile, memoryBytes: profile.memoryBytes * 2 }].map(planMemory);
      assert.ok(one && double && double.maxConnections >= one.maxConnections);
      assert.ok(double.workMemBytes >= one.workMemBytes / 2);
    }),
  );
});
