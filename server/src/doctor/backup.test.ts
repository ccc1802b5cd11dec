import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { parseExposition } from '../../test/exposition.ts';
import { noteOutcome, writeBackupRecord } from '../backup/record.ts';
import { backupMeter } from '../telemetry/backup-metrics.ts';
import { formatFor, renderMetrics } from '../telemetry/render-metrics.ts';
import { checkBackup } from './backup.ts';

const hourMs = 3_600_000;
const folder = await mkdtemp(join(tmpdir(), 'messenger-backups-'));
after(async () => rm(folder, { recursive: true }));

async function backUp(name: string, nowMs: number): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  const record = { systemIdentifier: '1', endedAt: '2026-11-27T00:00:00Z', firstWal: '', wal: {} };
  await writeBackupRecord(join(folder, name), { kind: 'embedded', ...record });
  await noteOutcome(join(folder, name), 'success', nowMs);
}

async function look(nowMs: number, dir: string | undefined = folder): Promise<string> {
  const { status, found } = await checkBackup({ dir, maxAgeHours: 26, primaryDir: folder }, nowMs);
  return `${status}: ${found}`;
}

test('databases without a backup are a warning when they exceed the maximum age of a backup', async () => {
  await writeFile(join(folder, 'PG_VERSION'), '18');
  const nowMs = Date.now();
  assert.equal(await look(nowMs), 'ok: none; the databases are 0 hours old');
  assert.equal(await look(nowMs + 27 * hourMs), 'warn: none; the databases are 27 hours old');
  const external = { dir: undefined, maxAgeHours: 26, primaryDir: undefined };
  assert.equal((await checkBackup(external, nowMs)).status, 'ok');
  assert.equal((await checkBackup({ ...external, dir: folder }, nowMs)).status, 'warn');
});

test('an old or missing backup and a failed later one are reported by doctor and the metrics', async () => {
  const nowMs = Date.now() + 100 * hourMs;
  const measure = backupMeter({ dir: folder, maxAgeHours: 26 });
  const values = async (): Promise<string[]> =>
    parseExposition(await renderMetrics(await measure(), formatFor('text/plain'))).samples.map(
      ({ name, value }) => `${name} ${value}`,
    );
  await backUp('one', nowMs);
  assert.equal(await look(nowMs + hourMs), 'ok: the newest is 1 hours old');
  assert.equal(await look(nowMs + 27 * hourMs), 'warn: the newest is 27 hours old');
  assert.deepEqual(await values(), [
    `messenger_backup_last_success_time_seconds ${nowMs / 1_000}`,
    'messenger_backup_last_failure_time_seconds 0',
    'messenger_backup_max_age_seconds 93600',
  ]);
  await noteOutcome(join(folder, 'two'), 'failure', nowMs + hourMs);
  assert.equal(await look(nowMs + 2 * hourMs), 'warn: the newest is 2 hours old; the last attempt failed');
  await backUp('three', nowMs + 2 * hourMs);
  assert.equal(await look(nowMs + 2 * hourMs), 'ok: the newest is 0 hours old');
  await rm(join(folder, 'three'), { recursive: true });
  assert.match(await look(nowMs + 2 * hourMs), /^warn: none/u);
  assert.equal((await values())[0], 'messenger_backup_last_success_time_seconds 0');
});
