import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cpuUsOf, machineBusyUs, parseStat } from './process-cpu.ts';

test('a process is parsed whatever its name contains', () => {
  const stat = '42 (postgres: a) b) S 7 42 42 0 -1 4194560 1 0 0 0 11 22 33 44 20 0 1 0 5';
  assert.deepEqual(parseStat(stat), { parent: 7, own: 33, ended: 77 });
});

test('the CPU of this process is counted, and an absent process has none', () => {
  const before = cpuUsOf([process.pid]);
  while (process.cpuUsage().user < 100_000) Math.sqrt(before);
  assert.ok(cpuUsOf([process.pid]) >= 50_000);
  assert.equal(cpuUsOf([]), 0);
  assert.ok(machineBusyUs() > cpuUsOf([process.pid]), 'it is a part of what the machine does');
});
