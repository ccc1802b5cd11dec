import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { findBinaries } from '../embedded/binaries.ts';
import { tunePostgres } from './postgres.ts';
import type { Profile } from './profile.ts';
import { renderAdvice } from './render.ts';

const run = promisify(execFile);
const gigabyte = 2 ** 30;

/** The real program reads the file that `tune` prints, and says what it has understood; it starts nothing. */
async function loadedValue(dir: string, name: string): Promise<string> {
  const { postgres } = await findBinaries(undefined);
  const { stdout } = await run(postgres, ['-C', name, '-D', dir]);
  return stdout.trim();
}

const ordinary: Profile = {
  memoryBytes: gigabyte,
  cpus: 8,
  workers: 8,
  instances: 1,
  storage: 'ssd',
  durability: 'on',
};

const machines: readonly Partial<Profile>[] = [
  { memoryBytes: gigabyte / 4, cpus: 1, workers: 1, storage: 'hdd' },
  { memoryBytes: gigabyte, durability: 'off' },
  { memoryBytes: 512 * gigabyte, cpus: 128, workers: 128, instances: 8 },
  { memoryBytes: 16_384 * gigabyte, cpus: 1_024, workers: 256, instances: 20 },
];

test('PostgreSQL itself loads what is printed for machines of every size, without a word', async (t) => {
  for (const machine of machines)
    for (const role of ['primary', 'standby'] as const) {
      const profile: Profile = { ...ordinary, ...machine };
      const settings = tunePostgres(role, profile);
      const dir = await mkdtemp(join(tmpdir(), 'messenger-conf-'));
      t.after(async () => rm(dir, { recursive: true }));
      const advice = { profile: [], memoryBytes: profile.memoryBytes, servers: [{ role, settings }], options: [] };
      await writeFile(join(dir, 'postgresql.conf'), renderAdvice(advice, 'conf'));
      const count = settings.find(({ name }) => name === 'max_connections')?.value;
      assert.equal(await loadedValue(dir, 'max_connections'), count);
      const pages = Number(await loadedValue(dir, 'shared_buffers'));
      assert.ok(pages > 0, `shared_buffers of ${role}`);
    }
});

test('a file with a value that PostgreSQL does not take would be noticed', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'messenger-conf-'));
  t.after(async () => rm(dir, { recursive: true }));
  await writeFile(join(dir, 'postgresql.conf'), "max_connections = '262144'\n");
  await assert.rejects(loadedValue(dir, 'max_connections'));
});
