/**
 * The cost of metrics: CPU of the workers per request, and requests per second of the whole server, with
 * `METRICS_ENABLED` and without. `node server/bench/metrics-cost.ts`: three minutes, both cores; `--rounds`,
 * `--seconds`; `--control` runs both sides without, to show the noise of the machine.
 *
 * Both servers run all the time and are loaded alternately; the one with metrics is scraped once a second, fifteen
 * times as often as by Prometheus's default. The result is the median of the ratios of pairs.
 */
import { parseArgs } from 'node:util';

import { BenchServer } from './bench-server.ts';
import type { CallName } from './calls.ts';
import { runLoad } from './load.ts';
import { describeRun } from './machine.ts';
import { median, medianRatio } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '2' },
    control: { type: 'boolean' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const sides = {
  without: { METRICS_ENABLED: 'false' },
  with: { METRICS_ENABLED: flags.control === true ? 'false' : 'true' },
} as const;
type Side = keyof typeof sides;

interface Sample {
  readonly cpuUs: number;
  readonly perSecond: number;
}

async function scrape(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  await answer.text();
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`);
}

async function measure(server: BenchServer, side: Side, call: CallName): Promise<Sample> {
  const before = server.cpuUs();
  const scraping =
    side === 'with' && flags.control !== true ? setInterval(() => void scrape(server.port), 1_000) : undefined;
  const load = { port: server.port, connections: 64, seconds, calls: [call] };
  const { requests, failures, perSecond } = await runLoad(load, new AbortController().signal);
  clearInterval(scraping);
  if (failures > 0) throw new Error(`${failures} requests failed`);
  return { cpuUs: (server.cpuUs().workers - before.workers) / requests, perSecond };
}

async function compare(servers: Readonly<Record<Side, BenchServer>>, call: CallName): Promise<void> {
  const samples: Record<Side, Sample[]> = { without: [], with: [] };
  // Round 0 warms up. The order alternates.
  for (let round = 0; round <= rounds; round += 1) {
    const order: readonly Side[] = round % 2 === 0 ? ['with', 'without'] : ['without', 'with'];
    for (const side of order) {
      const sample = await measure(servers[side], side, call);
      if (round > 0) samples[side].push(sample);
    }
  }
  for (const figure of ['cpuUs', 'perSecond'] as const) {
    const [on, off] = [samples.with, samples.without].map((all) => all.map((one) => one[figure]));
    if (on === undefined || off === undefined) continue;
    const ratio = medianRatio(on, off).toFixed(3);
    console.log(
      `${call.padEnd(7)} ${figure.padEnd(10)} with ${median(on).toFixed(1)}, without ${median(off).toFixed(1)}: × ${ratio}`,
    );
  }
}

const started: BenchServer[] = [];
try {
  for (const env of [sides.without, sides.with]) {
    const server = await BenchServer.start(env);
    started.push(server);
    await server.settle();
  }
  const [without, counting] = started;
  if (without === undefined || counting === undefined) throw new Error('both servers were started');
  console.log(`${describeRun(new Date())}; ${rounds} pairs of ${seconds} s, 64 connections`);
  for (const call of ['get', 'post'] as const) await compare({ without, with: counting }, call);
} finally {
  await Promise.all(started.map(async (server) => server.stop()));
}
