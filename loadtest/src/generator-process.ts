/** A child process of the run: generates its share of the load, and reports each second and the total. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { ChatGenerator } from './chat/chat-generator.ts';
import { Generator, type GeneratorIo } from './generator.ts';
import type { FromGenerator, SecondTally, ToGenerator } from './messages.ts';
import { hrtimeMs } from './monotonic-time.ts';

/** Node's histogram includes the sampling interval. */
const delayResolutionMs = 10;

let generator: Generator | ChatGenerator | undefined;

function send(message: FromGenerator): void {
  process.send?.(message);
}

async function run({ plan, share, startAtMs }: Extract<ToGenerator, { type: 'run' }>): Promise<void> {
  const offsetMs = performance.now() - hrtimeMs();
  const startMs = startAtMs + offsetMs;
  const measureCpu = cpuMeter();
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  const io: GeneratorIo = {
    now: () => performance.now() - startMs,
    random: Math.random,
    onSecond: (second) => send({ type: 'second', ...tallySecond(running, second, measureCpu()) }),
  };
  const running =
    plan.chat === undefined ? new Generator(plan, share, io) : new ChatGenerator(plan, plan.chat, share, io);
  generator = running;
  delay.enable();
  await running.run();
  delay.disable();
  sendDone(running, withoutResolutionMs(delay.percentile(99)), withoutResolutionMs(delay.max));
}

function tallySecond({ recorder, activeUsers }: Generator | ChatGenerator, second: number, cpuMs: number): SecondTally {
  return { ...recorder.takeSecond(), second, activeUsers, cpuMs };
}

/** Each call returns the CPU time since the previous one. */
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

function sendDone(running: Generator | ChatGenerator, eventLoopDelayP99Ms: number, eventLoopDelayMaxMs: number): void {
  const { user, system } = process.cpuUsage();
  const { recorder, usersStarted } = running;
  send({
    type: 'done',
    requests: recorder.requests(),
    faults: recorder.faults(),
    usersStarted,
    lateStarts: recorder.lateStarts.pack(),
    cpuMs: (user + system) / 1000,
    eventLoopDelayP99Ms,
    eventLoopDelayMaxMs,
    chat: running instanceof ChatGenerator ? running.tally() : undefined,
  });
}

process.on('message', (message: ToGenerator) => {
  if (message.type === 'run') void run(message);
  else generator?.stop();
});
// The parent is gone.
process.on('disconnect', () => process.exit());
// Ctrl-C in a terminal reaches every process of the group; the parent handles it.
for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
send({ type: 'ready' });
