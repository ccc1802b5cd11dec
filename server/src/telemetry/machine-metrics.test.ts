import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readMachine } from './machine-metrics.ts';
import { Metrics } from './metrics.ts';

test('memory, available memory, busy and idle CPU time of the machine are measured', () => {
  const metrics = new Metrics();
  readMachine(metrics);
  const { messenger_machine_memory_bytes: memory, messenger_machine_cpu_seconds_total: cpu } = metrics.snapshot();
  const [total = 0, available = 0] = (memory ?? []).map(({ values: [bytes] }) => bytes ?? 0);
  assert.ok(available > 0 && available <= total);
  const seconds = new Map((cpu ?? []).map(({ labels: [mode], values: [value] }) => [mode, value ?? 0]));
  assert.deepEqual([...seconds.keys()], ['busy', 'idle']);
  assert.ok([...seconds.values()].every((one) => one > 0));
});
