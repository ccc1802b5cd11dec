import assert from 'node:assert/strict';
import { test } from 'node:test';

import { guideMemoryBytes } from '../tuning/memory.ts';
import type { About, Server } from './about.ts';
import { checkChecksums } from './checksums.ts';
import { checkClocks } from './clock.ts';
import { checkEncryption } from './encryption.ts';
import { checkOpenFiles } from './open-files.ts';
import { judgeRelease, judgeReleases } from './releases.ts';
import { checkSettings } from './settings.ts';
import { checkSlots } from './slots.ts';
import { about, serverThatAnswers } from './test-doubles.ts';

/** Answers each query with one row. */
function serverThatSays(...rows: readonly object[]): Server {
  const answers = [...rows];
  return serverThatAnswers(() => answers.splice(0, 1));
}

test('clock skew beyond the network latency is reported with its amount', async () => {
  const cases = [
    [1_000, 'ok', '0 ms from the primary'],
    [2_000, 'warn', '900 ms from the primary'],
    [60_000, 'fail', '58900 ms from the primary'],
    [-60_000, 'fail', '61000 ms from the primary'],
  ] as const;
  for (const [ms, status, found] of cases) {
    const [line] = await checkClocks(
      serverThatSays({ value: 1_000 }, { value: 1_100 }),
      serverThatSays({ value: ms }),
      about,
    );
    assert.deepEqual([line?.status, line?.found], [status, found]);
  }
});

test('an unencrypted connection is reported on a public address, and not on a private one', async () => {
  const cases = [
    ['203.0.113.7', undefined, 'warn'],
    ['2001:db8::1', undefined, 'warn'],
    ['203.0.113.7', { protocol: 'TLSv1.3', endsMs: undefined }, 'ok'],
    ['10.1.2.3', undefined, 'ok'],
    ['::1', undefined, 'ok'],
    [undefined, undefined, 'ok'],
  ] as const;
  for (const [address, tls, status] of cases) {
    const [line] = await checkEncryption({ ...serverThatSays(), channel: { address, tls } }, about);
    assert.equal(line?.status, status, address ?? 'socket');
  }
});

test('a certificate that has expired, or expires within 30 days, is reported', async () => {
  const dayMs = 86_400_000;
  for (const [days, status, found] of [
    [30, 'ok', 'valid for 30 days'],
    [29.9, 'warn', 'valid for 29 days'],
    [-0.1, 'warn', 'has expired'],
  ] as const) {
    const channel = { address: '10.1.2.3', tls: { protocol: 'TLSv1.3', endsMs: days * dayMs } };
    const [, line] = await checkEncryption({ ...serverThatSays(), channel }, about);
    assert.deepEqual([line?.check, line?.status, line?.found], ['certificate', status, found]);
  }
});

test('a release with a defect that stops standbys is reported, and a later one is not', () => {
  for (const [version, status, found] of [
    [180_000, 'warn', 'PostgreSQL 18.0, before 18.4'],
    [180_003, 'warn', 'PostgreSQL 18.3, before 18.4'],
    [180_004, 'ok', 'PostgreSQL 18.4'],
    [190_000, 'ok', 'PostgreSQL 19.0'],
  ] as const) {
    const line = judgeRelease('primary', version);
    assert.deepEqual([line.status, line.found], [status, found]);
  }
});

test('different releases of standby and primary are reported, with the one to update', () => {
  assert.equal(judgeReleases('standby', 180_004, 180_004).status, 'ok');
  const older = judgeReleases('standby', 180_006, 180_004);
  assert.deepEqual([older.status, older.found], ['warn', '18.4 on the standby, 18.6 on the primary']);
  assert.match(older.advice ?? '', /Update the standby to 18\.6\.$/u);
  assert.match(judgeReleases('standby', 180_004, 180_006).advice ?? '', /Update the primary to 18\.6\.$/u);
});

test('a slot beyond its limit is reported before it is lost, and so is one without a limit', async () => {
  const slot = {
    name: 'one',
    active: true,
    type: 'physical',
    reason: null,
    walStatus: 'reserved',
    heldBytes: 2 ** 30,
    most: '1GB',
  };
  const origin = { name: 'max_slot_wal_keep_size', source: 'default', needsRestart: false };
  const statusOf = async (change: object): Promise<string | undefined> =>
    (await checkSlots(serverThatSays({ ...slot, ...change }, origin), about))[0]?.status;
  assert.equal(await statusOf({}), 'ok');
  assert.equal(await statusOf({ walStatus: 'unreserved' }), 'warn');
  assert.equal(await statusOf({ most: '-1' }), 'warn');
});

test('the advice for a setting of the command line is to change it there: `alter system` has no effect', async () => {
  const setting = { name: 'shared_buffers', value: '30', unit: '8kB', needsRestart: true, role: 'u', database: 'd' };
  const ofGuide: About = { ...about, machineOf: () => ({ memoryBytes: guideMemoryBytes }) };
  const adviceFor = async (source: string): Promise<string | undefined> =>
    (await checkSettings(serverThatSays({ ...setting, source }, { name: 'x' }), ofGuide))[0]?.advice;
  assert.match(
    (await adviceFor('configuration file')) ?? '',
    /^alter system set shared_buffers = '256MB', and restart it\. /u,
  );
  assert.match(
    (await adviceFor('command line')) ?? '',
    /^Start it with shared_buffers=256MB: its command line has shared_buffers /u,
  );
});

test('open files are compared with the configured connections, and the default configures none', () => {
  assert.equal(checkOpenFiles(undefined, { pools: 200, clients: 10_000 }).status, 'ok');
  assert.equal(checkOpenFiles(20_000, { pools: 200, clients: 10_000 }).status, 'ok');
  assert.equal(checkOpenFiles(10_000, { pools: 200, clients: 10_000 }).status, 'warn');
  assert.equal(checkOpenFiles(10_000, { pools: 200, clients: undefined }).status, 'ok');
  assert.equal(checkOpenFiles(512, { pools: 20, clients: undefined }).status, 'fail');
});

test('a server without page checksums is reported', async () => {
  const [line] = await checkChecksums(serverThatSays({ damaged: 0, checksums: 'off' }), about);
  assert.deepEqual([line?.status, line?.found], ['warn', 'off']);
});
