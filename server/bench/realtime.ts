/** `npm run bench -- --only realtime`: what sockets cost, and how fast they are. */
import { loadavg } from 'node:os';

import { describeRun } from './machine.ts';
import type { BenchOptions, RealtimePart } from './options.ts';
import { measureFanout, measureMemory } from './realtime-fanout.ts';
import { measureLatency } from './realtime-latency.ts';
import { measureReconnects } from './realtime-reconnect.ts';
import { cpuParts, Senders } from './realtime-sends.ts';
import { quantile } from './statistics.ts';

/** Code is optimised after some load. */
const warmUp = { seconds: 5, inFlight: 1 };
/** Of the cost of the feed. */
const rate = 2_000;

export async function benchRealtime(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const { rounds, seconds, parts } = options;
  const load = loadavg().map((one) => one.toFixed(1));
  console.log(`${describeRun(new Date())}. ${rounds} rounds of ${seconds} s; load average before: ${load.join(', ')}.`);
  const has = (part: RealtimePart): boolean => parts.includes(part);
  if (has('fanout')) await measureFanout(options, signal);
  if (has('memory')) await measureMemory();
  if (has('sends') || has('feed') || has('latency')) await measureSends(options, signal);
  if (has('reconnect')) await reportReconnects(signal);
}

/** Loads in turn on one server; then, when both workers have sockets, single messages. */
async function measureSends({ rounds, seconds, parts }: BenchOptions, signal: AbortSignal): Promise<void> {
  const senders = await Senders.start();
  try {
    await senders.measure(warmUp, signal);
    const loads = [
      ...(parts.includes('sends')
        ? [1, 8].map((inFlight) => ({ name: `${inFlight} in flight`, inFlight, seconds }))
        : []),
      ...(parts.includes('feed') ? [{ name: `${rate}/s`, inFlight: 1, rate, seconds }] : []),
    ];
    const names = cpuParts.join(' | ');
    console.log(`\n| sends of 64 senders | sends/s | p50 ms | p99 ms | CPU µs per send: ${names} |`);
    console.log(`| --- ${'| ---: '.repeat(3 + cpuParts.length)}|`);
    for (let round = 1; round <= rounds; round += 1)
      for (const load of loads) {
        const { perSecond, p50Ms, p99Ms, cpuUs } = await senders.measure(load, signal);
        const cells = [perSecond.toFixed(0), p50Ms.toFixed(1), p99Ms.toFixed(1), ...cpuUs.map((us) => us.toFixed(1))];
        console.log(`| ${load.name} | ${cells.join(' | ')} |`);
      }
    if (parts.includes('latency')) await reportLatency(senders, rounds * seconds, signal);
  } finally {
    await senders.stop();
  }
}

async function reportLatency({ server }: Senders, seconds: number, signal: AbortSignal): Promise<void> {
  const { commits, answers, arrivals } = await measureLatency(server, seconds, signal);
  console.log(`\n| ${arrivals.length} times, ms | p50 | p99 |\n| --- | ---: | ---: |`);
  const row = (name: string, times: readonly number[]): void =>
    console.log(`| ${name} | ${quantile(times, 0.5).toFixed(2)} | ${quantile(times, 0.99).toFixed(2)} |`);
  row('durable commit of one row', commits);
  row('`send` to `done`', answers);
  row('`send` to arrival at a peer on another worker', arrivals);
  const target = 1.5 * quantile(commits, 0.5) + 1;
  console.log(`\nTarget of the arrival, p50: 1.5 commits + 1 ms = ${target.toFixed(2)} ms.`);
}

async function reportReconnects(signal: AbortSignal): Promise<void> {
  const { sockets, lost, halfSeconds, allSeconds, repeated, refused, faults, sent } = await measureReconnects(signal);
  console.log('\n| all workers killed | |\n| --- | ---: |');
  console.log(`| sockets that were open, and connections that were lost | ${sockets}, ${lost} |`);
  console.log(`| caught up: half, all | ${halfSeconds.toFixed(1)} s, ${allSeconds.toFixed(1)} s |`);
  console.log(`| connections and calls that failed and were repeated | ${repeated} |`);
  console.log(`| refused for good | ${refused.length} ${[...new Set(refused)].join()} |`);
  console.log(`| of ${sent} messages meanwhile: lost, twice or out of order | ${faults.length} |`);
  for (const fault of faults.slice(0, 10)) console.log(`\n${fault}`);
}
