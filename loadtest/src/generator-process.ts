/** A child of the run: generates its share of the load, and tells each second and the sum. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { Generator } from './generator.ts';
import type { FromGenerator, SecondTally, ToGenerator } from './messages.ts';
import { hrtimeMs } from './monotonic-time.ts';

/** The histogram of node counts the time between two looks, this time included. */
const delayResolutionMs = 10;

let generator: Generator | undefined;

function send(message: FromGenerator): void {
  process.send?.(message);
}

async function run({ plan, share, startAtMs }: Extract<ToGenerator, { type: 'run' }>): Promise<void> {
  const offsetMs = performance.now() - hrtimeMs();
  const startMs = startAtMs + offsetMs;
  const measureCpu = cpuMeter();
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  const running = new Generator(plan, share, {
    now: () => performance.now() - startMs,
    random: Math.random,
    onSecond: (second) => send({ type: 'second', ...tallySecond(running, second, measureCpu()) }),
  });
  generator = running;
  delay.enable();
  await running.run();
  delay.disable();
  sendDone(running, withoutResolutionMs(delay.percentile(99)), withoutResolutionMs(delay.max));
}

function tallySecond({ recorder, activeUsers }: Generator, second: number, cpuMs: number): SecondTally {
  return { ...recorder.takeSecond(), second, activeUsers, cpuMs };
}

/** Each call gives the CPU since the one before. */
function cpuMeter(): () => number {
  let before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    return (user + system) / 1000;
  };
}

function withoutResolutionMs(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - delayResolutionMs);
}

function sendDone(
  { recorder, usersStarted }: Generator,
  eventLoopDelayP99Ms: number,
  eventLoopDelayMaxMs: number,
): void {
  const { user, system } = process.cpuUsage();
  send({
    type: 'done',
    requests: recorder.requests(),
    faults: recorder.faults(),
    usersStarted,
    lateStarts: recorder.lateStarts.pack(),
    cpuMs: (user + system) / 1000,
    eventLoopDelayP99Ms,
    eventLoopDelayMaxMs,
  });
}

process.on('message', (message: ToGenerator) => {
  if (message.type === 'run') void run(message);
  else generator?.stop();
});
// Its run is gone: nobody would hear the result.
process.on('disconnect', () => process.exit());
// A terminal's Ctrl-C reaches every process of its group; the run decides what it means.
for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
send({ type: 'ready' });
