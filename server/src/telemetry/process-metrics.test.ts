import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { valueOf } from '../../test/metric-values.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Metrics } from './metrics.ts';
import { readProcess, watchProcess } from './process-metrics.ts';

const metrics = new Metrics();
const watch = watchProcess(metrics);
after(() => watch.stop());

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Seconds since the previous call. */
function delay(percentile: string): number {
  watch.read();
  return valueOf(metrics, 'messenger_event_loop_delay_seconds', percentile) ?? 0;
}

test('a blocked event loop is reported once, as a delay in seconds', async () => {
  // The first timer has no predecessor to measure from. Each fires before the second turn.
  for (let timer = 0; timer < 2; timer += 1) {
    block(300);
    await nextTurn();
    await nextTurn();
  }
  const longest = delay('100');
  assert.ok(longest > 0.2 && longest < 5, `${longest} s`);
  await waitFor('it to be forgotten', () => delay('100') < 0.2);
});

test('memory is reported by kind, in bytes', () => {
  readProcess(metrics, 'worker');
  const bytes = (kind: string): number => valueOf(metrics, 'messenger_process_memory_bytes', 'worker', kind) ?? 0;
  assert.ok(bytes('heap_used') > 2 ** 20);
  assert.ok(bytes('heap_total') > bytes('heap_used'));
  assert.ok(bytes('rss') > bytes('heap_total'));
  assert.ok(bytes('external') > 0);
});

test('CPU time grows with work, in seconds', () => {
  const seconds = (): number => {
    readProcess(metrics, 'supervisor');
    return valueOf(metrics, 'messenger_process_cpu_seconds_total', 'supervisor') ?? 0;
  };
  const before = seconds();
  block(300);
  const more = seconds() - before;
  assert.ok(more > 0.02 && more < 5, `${more} s`);
});

const onlyLinux = process.platform === 'linux' ? false : 'other systems need no file for it';

test('a process at its limit of open files is still measured, without the refused values', { skip: onlyLinux }, () => {
  const program = `
    import { openSync } from 'node:fs';
    import { Metrics } from '${import.meta.resolve('./metrics.ts')}';
    import { readProcess } from '${import.meta.resolve('./process-metrics.ts')}';
    const metrics = new Metrics();
    readProcess(metrics, 'worker');
    try { for (;;) openSync('/dev/null'); } catch {}
    let refused = false;
    try { process.memoryUsage(); } catch { refused = true; }
    readProcess(metrics, 'worker');
    console.log(JSON.stringify({ refused, ...metrics.snapshot() }));
  `;
  const command = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  const told: unknown = JSON.parse(
    execFileSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' }),
  );
  assert.partialDeepStrictEqual(told, {
    refused: true,
    messenger_process_max_open_files: [{ labels: ['worker'], values: [64] }],
  });
  assert.ok(typeof told === 'object' && told !== null);
  assert.equal('messenger_process_memory_bytes' in told, false);
  assert.ok('messenger_process_cpu_seconds_total' in told);
});

test('the open files of this process are counted', { skip: onlyLinux }, () => {
  const count = (): number => {
    readProcess(metrics, 'worker');
    return valueOf(metrics, 'messenger_process_open_files', 'worker') ?? 0;
  };
  const before = count();
  const files = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
  const during = count();
  for (const file of files) closeSync(file);
  assert.ok(during >= before + 20 && during < before + 30, `${before} → ${during}`);
});
