/** `npm run bench -- --only messages`: sends and pages of messages, beside the same without batches and beside bare inserts. */
import { main, run, type Run as Server } from '../test/start-server.ts';
import { waitFor } from '../test/wait-for.ts';
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
  /** CPU microseconds per request; not a number where it is not measured. */
  readonly workersUs: number;
  readonly databasesUs: number;
}

const sources = ['send', 'send, unbatched', 'floor', 'send, two', 'sendToOne, two', 'messages', 'users'] as const;
type Source = (typeof sources)[number];

interface Sides {
  readonly batched: BenchServer;
  /** A second server on the databases of `batched`. */
  readonly second: Server;
  readonly unbatched: BenchServer;
  readonly pgbench: string;
}

/** Sources in turn, so that the neighbours of the machine disturb all of them alike; the result is the median of the rounds. */
export async function benchMessages({ rounds, seconds }: BenchOptions, signal: AbortSignal): Promise<void> {
  const pgbench = findPgbench();
  if (pgbench === undefined) throw new Error('pgbench is not installed: apt-get install postgresql-contrib has it');
  const batched = await BenchServer.start(limits);
  let second: Server | undefined;
  try {
    second = await startBeside(batched);
    const unbatched = await BenchServer.start({ ...limits, DB_BATCHING: 'off' });
    try {
      const sides = { batched, second, unbatched, pgbench };
      for (const server of [batched, unbatched]) await server.prepare(...settleChat);
      report(await measureAll(sides, { rounds, seconds, signal }), { rounds, seconds });
    } finally {
      await unbatched.stop();
    }
  } finally {
    second?.kill('SIGTERM');
    await second?.ended();
    await batched.stop();
  }
}

/** On the databases of another server, as a second node would be. */
async function startBeside({ endpoints: { write, read } }: BenchServer): Promise<Server> {
  const env = Object.fromEntries(
    Object.entries({ WRITE: write, READ: read }).flatMap(([role, { host, port, user, database }]) => [
      [`DB_${role}_HOST`, host],
      [`DB_${role}_PORT`, String(port)],
      [`DB_${role}_USER`, user],
      [`DB_${role}_NAME`, database],
    ]),
  );
  const server = await run({
    program: main,
    args: ['start', '--port', '0', '--workers', '1'],
    env: { LOG_LEVEL: 'warn', ...limits, ...env },
  });
  await waitFor('the second server to start', () => server.hasEnded || server.isServing, 60_000);
  if (server.hasEnded) throw new Error(`the second server ended with the output:\n${server.stderr}`);
  return server;
}

interface Run {
  readonly rounds: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

async function measureAll(sides: Sides, options: Run): Promise<ReadonlyMap<Source, readonly Sample[]>> {
  const samples = new Map<Source, Sample[]>(sources.map((source) => [source, []]));
  // Round 0 warms up code, connections and plans.
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const source of round % 2 === 1 ? sources : sources.toReversed()) {
      options.signal.throwIfAborted();
      console.error(`round ${round} of ${options.rounds}: ${source}`);
      const sample = await measure(source, sides, options);
      if (round > 0) samples.get(source)?.push(sample);
    }
  }
  return samples;
}

async function measure(source: Source, sides: Sides, { seconds, signal }: Run): Promise<Sample> {
  const { batched, second, unbatched, pgbench } = sides;
  const server = source === 'send, unbatched' ? unbatched : batched;
  const ports = source.endsWith('two') ? [batched.port, Number(new URL(second.url).port)] : [server.port];
  const before = server.cpuUs();
  const { requests, perSecond, p99Ms } =
    source === 'floor'
      ? await runFloor(server, pgbench, seconds, signal)
      : await runCalls(ports, callOf(source), seconds, signal);
  const after = server.cpuUs();
  return {
    perSecond,
    p99Ms,
    workersUs: source.endsWith('two') ? Number.NaN : (after.workers - before.workers) / requests,
    databasesUs: (after.databases - before.databases) / requests,
  };
}

function callOf(source: Exclude<Source, 'floor'>): ChatCall {
  if (source === 'messages' || source === 'users') return source;
  return source === 'sendToOne, two' ? 'sendToOne' : 'send';
}

/** The connections are shared equally by the servers. */
async function runCalls(ports: readonly number[], call: ChatCall, seconds: number, signal: AbortSignal) {
  const load = { connections: connections / ports.length, seconds, calls: [call] };
  const loaded = await Promise.all(ports.map(async (port) => runLoad({ ...load, port }, signal)));
  const failures = loaded.reduce((sum, each) => sum + each.failures, 0);
  if (failures > 0) throw new Error(`${call}: ${failures} failed: ${loaded.map((each) => each.lastFailure).join(' ')}`);
  return {
    requests: loaded.reduce((sum, each) => sum + each.requests, 0),
    perSecond: loaded.reduce((sum, each) => sum + each.perSecond, 0),
    p99Ms: Math.max(...loaded.map((each) => each.p99Ms)),
  };
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
    const figure = (name: keyof Sample, digits: number): string =>
      Number.isNaN(of(source, name)[0]) ? '' : median(of(source, name)).toFixed(digits);
    console.log(
      `| ${source} | ${figure('perSecond', 0)} | ${figure('p99Ms', 1)} | ${figure('workersUs', 1)} | ${figure('databasesUs', 1)} |`,
    );
  }
  console.log('\n| | measured | target |\n| --- | ---: | ---: |');
  console.log(`| sends ÷ without batches, requests/s | ${ratio('send', 'send, unbatched', 'perSecond')} | ≥ 3 |`);
  console.log(
    `| sends ÷ bare inserts of sixteen, CPU of the databases | ${ratio('send', 'floor', 'databasesUs')} | ≤ 2.5 |`,
  );
  console.log(
    `| sends to one conversation ÷ to ${conversations}, from two servers, requests/s | ${ratio('sendToOne, two', 'send, two', 'perSecond')} | ≥ 0.5 |`,
  );
  console.log(
    `| messages?limit=50 ÷ users?limit=50, requests/s | ${ratio('messages', 'users', 'perSecond')} | ≥ 0.8 |`,
  );
}
