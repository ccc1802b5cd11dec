/**
 * A child process of the run that sleeps 4 ms at a time and records how late it wakes: the delays of the machine itself. Costs 1
 * % of a core. Reports at the first message.
 */
import { Distribution } from './distribution.ts';

const sleepMs = 4;
/** Between two checks for a message. */
const sleepsPerTurn = 25;

const stalls = new Distribution();
const cell = new Int32Array(new SharedArrayBuffer(4));

function sleepAndRecord(): void {
  const startMs = performance.now();
  Atomics.wait(cell, 0, 0, sleepMs);
  stalls.add(Math.max(0, performance.now() - startMs - sleepMs));
}

function sleepOn(): void {
  for (let sleeps = 0; sleeps < sleepsPerTurn; sleeps++) sleepAndRecord();
  turn = setImmediate(sleepOn);
}

let turn = setImmediate(sleepOn);
process.on('message', () => {
  clearImmediate(turn);
  const { user, system } = process.cpuUsage();
  process.send?.({ p99StallMs: stalls.percentileMs(99), maxStallMs: stalls.maxMs, cpuMs: (user + system) / 1000 });
});
process.on('disconnect', () => process.exit());
for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
