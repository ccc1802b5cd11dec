import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Endpoint } from '../db/endpoint.ts';
import { tunePostgres } from '../tuning/postgres.ts';
import type { Profile } from '../tuning/profile.ts';
import type { Role } from './about.ts';
import type { Finding } from './finding.ts';
import { machineOf, type KnownMachine } from './machine.ts';
import { checkSettings } from './settings.ts';
import { about, serverThatAnswers } from './test-doubles.ts';

const gigabyte = 2 ** 30;
const there: Endpoint = { host: 'db.internal', port: 5432, user: 'u', database: 'd' };
const here: Endpoint = { ...there, host: '/run/postgresql' };
const detected = { memoryBytes: 24 * gigabyte, cpus: 4, storage: 'hdd' } as const;

test('only given values are known of a remote server', () => {
  const facts = { given: { cpus: 2 }, detected, isEmbedded: false, endpoints: [there] };
  assert.deepEqual(machineOf(there, facts), { cpus: 2 });
});

test('local servers share the memory with each other and with Messenger; given values take precedence', () => {
  for (const host of ['/run/postgresql', '127.0.0.1', '::1', 'localhost']) {
    const endpoint = { ...here, host };
    const facts = { given: {}, detected, isEmbedded: false, endpoints: [endpoint, here, there] };
    assert.deepEqual(machineOf(endpoint, facts), { ...detected, memoryBytes: 8 * gigabyte, isGuess: true });
    const given = { memoryBytes: gigabyte, storage: 'ssd' } as const;
    const told = machineOf(endpoint, { ...facts, given });
    assert.deepEqual(told, { ...given, cpus: 4, isGuess: false });
  }
});

test('embedded servers are compared with their own settings table', () => {
  const facts = { given: {}, detected, isEmbedded: true, endpoints: [here] };
  assert.deepEqual(machineOf(here, facts), { memoryBytes: gigabyte, storage: 'ssd' });
});

interface Values {
  readonly [name: string]: string;
}

/** The finding about the settings of a server with these values, on a machine with these known facts. */
async function judge(values: Values, machine: KnownMachine, role: Role = 'primary'): Promise<readonly Finding[]> {
  const settings = Object.entries(values).map(([name, value]) => ({ name, value, unit: null, needsRestart: false }));
  const server = serverThatAnswers((names) => (names === undefined ? [] : settings), { role, endpoint: there });
  return (await checkSettings(server, { ...about, machineOf: () => machine })).filter(
    ({ check }) => check === 'settings',
  );
}

function tuned(profile: Partial<Profile>): Values {
  const guide = { memoryBytes: gigabyte, cpus: 8, workers: 1, instances: 1, storage: 'ssd', durability: 'on' } as const;
  return Object.fromEntries(tunePostgres({ ...guide, ...profile }).map(({ name, value }) => [name, value]));
}

const lines = (findings: readonly Finding[]): readonly string[] => findings.map(({ found }) => found);

async function assertAgreement(machine: Pick<Profile, 'memoryBytes' | 'cpus' | 'storage'>): Promise<void> {
  const missing = 'what depends on its machine is compared with --memory, --cpus, --storage';
  for (const role of ['primary', 'standby'] as const) {
    const values = tuned(machine);
    assert.deepEqual(lines(await judge(values, machine, role)), ['as in the tuned profile, or more']);
    assert.deepEqual(lines(await judge(values, {}, role)), [`as in the tuned profile, or more; ${missing}`]);
  }
}

test('doctor accepts the settings that tune prints for the same machine', async () => {
  for (const memoryBytes of [gigabyte / 2, gigabyte, 16 * gigabyte, 64 * gigabyte])
    for (const cpus of [1, 4, 32])
      for (const storage of ['ssd', 'hdd'] as const) await assertAgreement({ memoryBytes, cpus, storage });
});

test('a large server with the settings of a small one is reported, on this machine also without flags', async () => {
  const ofGuide = tuned({});
  const machine = { memoryBytes: 64 * gigabyte, cpus: 8, storage: 'ssd' } as const;
  const expected = [
    'shared_buffers is 256MB, the profile has 16GB',
    'work_mem is 4MB, the profile has 43MB',
    'effective_cache_size is 512MB, the profile has 32GB',
    'maintenance_work_mem is 64MB, the profile has 2GB',
    'max_wal_size is 1GB, the profile has 8GB',
  ];
  assert.deepEqual(lines(await judge(ofGuide, machine)), expected);
  const guessed = await judge(ofGuide, { ...machine, isGuess: true });
  assert.deepEqual(lines(guessed), expected);
  assert.match(guessed[0]?.advice ?? '', /assumed to have 64GB, its share of this machine: --memory/u);
});

test('half the recommended value is accepted when the memory is only estimated', async () => {
  const machine = { memoryBytes: 16 * gigabyte, cpus: 8, storage: 'ssd' } as const;
  const half = { ...tuned(machine), shared_buffers: '2GB', work_mem: '5MB', effective_cache_size: '4GB' };
  assert.deepEqual(lines(await judge(half, { ...machine, isGuess: true })), ['as in the tuned profile, or more']);
  assert.equal((await judge(half, machine)).length, 3);
});

test('random_page_cost is judged only when the kind of disk is known', async () => {
  const values = { ...tuned({}), random_page_cost: '4' };
  const found = ['random_page_cost is 4, the profile has 1.1'];
  assert.deepEqual(lines(await judge(values, { memoryBytes: gigabyte, cpus: 8, storage: 'ssd' }, 'standby')), found);
  assert.equal((await judge(values, {}, 'standby'))[0]?.status, 'ok');
});
