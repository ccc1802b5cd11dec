/** `npm run bench -- --only messages`: sends and pages of messages, beside the same without batches and beside bare inserts. */
import { BenchServer } from './bench-server.ts';
import { conversations, floorRows, floorScript, settleChat, type ChatCall } from './chat-load.ts';
import { runLoad } from './load.ts';
import { describeRun } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { findPgbench, runPgbench } from './pgbench.ts';
import { median, medianRatio } from './statistics.ts';

const connections = 64;
const limits = { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' };

interface Sample {
  readonly perSecond: number;
  readonly p99Ms: number;
  /** CPU microseconds per request. */
  readonly workersUs: number;
  readonly databasesUs: number;
}

type Source = ChatCall | 'send, unbatched' | 'floor';

const sources: readonly Source[] = ['send', 'send, unbatched', 'floor', 'sendToOne', 'messages', 'users'];

interface Sides {
  readonly batched: BenchServer;
  readonly unbatched: BenchServer;
  readonly pgbench: string;
}

/** Sources in turn, so that the neighbours of the machine disturb all of them alike; the result is the median of the rounds. */
export async function benchMessages({ rounds, seconds }: BenchOptions, signal: AbortSignal): Promise<void> {
  const pgbench = findPgbench();
  if (pgbench === undefined) throw new Error('pgbench is not installed: apt-get install postgresql-contrib has it');
  const batched = await BenchServer.start(limits);
  try {
    const unbatched = await BenchServer.start({ ...limits, DB_BATCHING: 'off' });
    try {
      const sides = { batched, unbatched, pgbench };
      for (const server of [batched, unbatched]) await server.prepare(...settleChat);
      report(await measureAll(sides, { rounds, seconds, signal }), { rounds, seconds });
    } finally {
      await unbatched.stop();
    }
  } finally {
    await batched.stop();
  }
}

interface Run {
  readonly rounds: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

async function measureAll(sides: Sides, run: Run): Promise<ReadonlyMap<Source, readonly Sample[]>> {
  const samples = new Map<Source, Sample[]>(sources.map((source) => [source, []]));
  // Round 0 warms up code, connections and plans.
  for (let round = 0; round <= run.rounds; round += 1) {
    for (const source of round % 2 === 1 ? sources : sources.toReversed()) {
      run.signal.throwIfAborted();
      console.error(`round ${round} of ${run.rounds}: ${source}`);
      const sample = await measure(source, sides, run);
      if (round > 0) samples.get(source)?.push(sample);
    }
  }
  return samples;
}

async function measure(
  source: Source,
  { batched, unbatched, pgbench }: Sides,
  { seconds, signal }: Run,
): Promise<Sample> {
  const server = source === 'send, unbatched' ? unbatched : batched;
  const before = server.cpuUs();
  const { requests, perSecond, p99Ms } =
    source === 'floor'
      ? await runFloor(server, pgbench, seconds, signal)
      : await runCalls(server, source === 'send, unbatched' ? 'send' : source, seconds, signal);
  const after = server.cpuUs();
  return {
    perSecond,
    p99Ms,
    workersUs: (after.workers - before.workers) / requests,
    databasesUs: (after.databases - before.databases) / requests,
  };
}

async function runCalls({ port }: BenchServer, call: ChatCall, seconds: number, signal: AbortSignal) {
  const loaded = await runLoad({ port, connections, seconds, calls: [call] }, signal);
  if (loaded.failures > 0) throw new Error(`${call}: ${loaded.failures} requests failed`);
  return loaded;
}

async function runFloor({ endpoints }: BenchServer, pgbench: string, seconds: number, signal: AbortSignal) {
  const perSecond = floorRows * (await runPgbench(pgbench, floorScript, endpoints.write, seconds, signal));
  return { perSecond, requests: perSecond * seconds, p99Ms: Number.NaN };
}

function report(
  samples: ReadonlyMap<Source, readonly Sample[]>,
  { rounds, seconds }: Pick<Run, 'rounds' | 'seconds'>,
): void {
  const of = (source: Source, figure: keyof Sample): number[] => (samples.get(source) ?? []).map((one) => one[figure]);
  const ratio = (left: Source, right: Source, figure: keyof Sample): string =>
    medianRatio(of(left, figure), of(right, figure)).toFixed(2);
  console.log(
    `${describeRun(new Date())}. ${connections} connections, ${conversations} conversations, medians of ${rounds} rounds of ${seconds} s, sides in turn.\n`,
  );
  console.log('| | requests/s | p99 ms | CPU µs: server | databases |\n| --- | ---: | ---: | ---: | ---: |');
  for (const source of sources) {
    const figure = (name: keyof Sample, digits: number): string => median(of(source, name)).toFixed(digits);
    console.log(
      `| ${source} | ${figure('perSecond', 0)} | ${source === 'floor' ? '' : figure('p99Ms', 1)} | ${figure('workersUs', 1)} | ${figure('databasesUs', 1)} |`,
    );
  }
  console.log('\n| | measured | target |\n| --- | ---: | ---: |');
  console.log(`| sends ÷ without batches, requests/s | ${ratio('send', 'send, unbatched', 'perSecond')} | ≥ 3 |`);
  console.log(
    `| sends ÷ bare inserts of sixteen, CPU of the databases | ${ratio('send', 'floor', 'databasesUs')} | ≤ 2.5 |`,
  );
  console.log(
    `| sends to one conversation ÷ to ${conversations}, requests/s | ${ratio('sendToOne', 'send', 'perSecond')} | ≥ 0.5 |`,
  );
  console.log(
    `| messages?limit=50 ÷ users?limit=50, requests/s | ${ratio('messages', 'users', 'perSecond')} | ≥ 0.8 |`,
  );
}
