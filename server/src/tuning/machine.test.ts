import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { detectMachine, deviceNumber, systemFacts, type SystemFacts } from './machine.ts';

const gigabyte = 2 ** 30;
const facts: SystemFacts = {
  totalMemoryBytes: 8 * gigabyte,
  memoryLimitBytes: 0,
  cpus: 4,
  path: tmpdir(),
  sysDir: '/nonexistent',
};

/** A /sys in which `path` is on the first partition of a disk. */
async function makeSys(t: TestContext, rotational: '0' | '1'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-sys-'));
  t.after(async () => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'devices/sda/sda1'), { recursive: true });
  await mkdir(join(folder, 'devices/sda/queue'));
  await writeFile(join(folder, 'devices/sda/queue/rotational'), `${rotational}\n`);
  await mkdir(join(folder, 'dev/block'), { recursive: true });
  const { dev } = await stat(facts.path);
  await symlink(join(folder, 'devices/sda/sda1'), join(folder, 'dev/block', deviceNumber(dev)));
  return folder;
}

test('a container has the memory of its limit, and no more than the machine', async () => {
  const limited = await detectMachine({ ...facts, memoryLimitBytes: 2 * gigabyte });
  const unlimited = await detectMachine({ ...facts, memoryLimitBytes: 2 ** 64 });
  const unknown = await detectMachine(facts);
  assert.deepEqual(
    [limited.memoryBytes, unlimited.memoryBytes, unknown.memoryBytes],
    [2 * gigabyte, 8 * gigabyte, 8 * gigabyte],
  );
});

test('a partition has the storage type of its disk', async (t) => {
  assert.equal((await detectMachine({ ...facts, sysDir: await makeSys(t, '1') })).storage, 'hdd');
  assert.equal((await detectMachine({ ...facts, sysDir: await makeSys(t, '0') })).storage, 'ssd');
});

test('an unknown disk has no storage type', async () => {
  assert.equal((await detectMachine(facts)).storage, undefined);
});

test('device numbers are decoded as in the C library', () => {
  assert.deepEqual([0xfe_00, 0x8_01, 0x10_01_03_02].map(deviceNumber), ['254:0', '8:1', '259:65538']);
});

test('the memory and cores of this machine are detected', async () => {
  const machine = await detectMachine(systemFacts('.'));
  assert.ok(machine.memoryBytes > 2 ** 27 && machine.cpus >= 1);
});
