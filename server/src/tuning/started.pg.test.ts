import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { ask, eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import type { EmbeddedPair } from '../embedded/pair.ts';
import { tunePostgres } from './postgres.ts';
import type { Profile, Tuned } from './profile.ts';
import { renderAdvice, type AdviceFormat } from './render.ts';

const gigabyte = 2 ** 30;
let site: TestSite;

before(async () => {
  site = await makeTestSite();
});
after(async () => site.remove());

function profileOf(memoryBytes: number): Profile {
  return { memoryBytes, cpus: 4, workers: 2, instances: 1, storage: 'ssd', durability: 'on' };
}

function print(profile: Profile, settings: readonly Tuned[], format: AdviceFormat): string {
  return renderAdvice(
    { profile: ['printed by a test'], memoryBytes: profile.memoryBytes, settings, options: [] },
    format,
  );
}

/** Settings whose effective value differs from the printed one. PostgreSQL itself compares `1GB` with `1024MB`. */
async function findDifferent(
  pair: EmbeddedPair,
  role: 'write' | 'read',
  settings: readonly Tuned[],
): Promise<unknown[]> {
  // Maintenance sessions have their own synchronous_commit.
  const printed = settings.filter(({ name }) => name !== 'synchronous_commit');
  const wanted = printed.map(({ name, value }) => `('${name}', '${value === '30000' ? '30s' : value}')`).join(', ');
  return await ask(
    pair,
    role,
    `select name from (values ${wanted}) as wanted (name, value)
     where current_setting(name) <> value
       and case when value ~ '^[0-9.]+[kMG]B$' then pg_size_bytes(current_setting(name)) <> pg_size_bytes(value)
                else true end`,
  );
}

/** Starts a pair with additional lines of postgresql.conf, and checks the effective values on both servers. */
async function assertInForce(changes: Readonly<Record<string, string>>, settings: readonly Tuned[]): Promise<void> {
  const pair = site.pair({ overrides: { primary: changes, standby: changes } });
  await pair.start(AbortSignal.timeout(50_000));
  try {
    for (const role of ['write', 'read'] as const) {
      await eventually(async () => (await ask(pair, role, 'select 1')).length === 1);
      assert.deepEqual(await findDifferent(pair, role, settings), [], role);
    }
  } finally {
    await pair.stop(soon());
  }
}

const sizes = [gigabyte / 2, 2 * gigabyte, 8 * gigabyte].filter((memoryBytes) => memoryBytes < totalmem() / 2);

test('a primary and a standby start with the printed file for several sizes, and have its settings', async () => {
  assert.ok(sizes.length > 0);
  for (const [index, memoryBytes] of sizes.entries()) {
    const profile = profileOf(memoryBytes);
    const settings = tunePostgres(profile);
    const file = join(dirname(site.options.dataDir), `tuned-${index}.conf`);
    await writeFile(file, print(profile, settings, 'conf'), { mode: 0o644 });
    await assertInForce({ include: file }, settings);
  }
});

test('a running server accepts the printed statements, and has the settings after a restart', async () => {
  const profile = profileOf(gigabyte);
  const settings = tunePostgres(profile);
  const pair = site.pair();
  await pair.start(AbortSignal.timeout(50_000));
  const statements = print(profile, settings, 'sql')
    .split('\n')
    .filter((line) => line.startsWith('alter system'));
  assert.equal(statements.length, settings.length);
  for (const role of ['read', 'write'] as const) for (const statement of statements) await ask(pair, role, statement);
  await pair.stop(soon());
  await assertInForce({}, settings);
});
