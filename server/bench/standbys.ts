/**
 * `npm run bench:standbys`: what a read through one standby costs the worker, and through two, when the standby is chosen
 * once for the calls of a turn, and for each call. See docs/decisions/0016.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { BatchedPool } from '../src/db/batched-pool.ts';
import type { Endpoint } from '../src/db/endpoint.ts';
import { Pool, type Role } from '../src/db/pool.ts';
import { primaryPosition, replayPosition } from '../src/db/position.ts';
import { PrimaryLog } from '../src/db/primary-log.ts';
import { Probe } from '../src/db/probe.ts';
import { Server } from '../src/db/server.ts';
import { Reads } from '../src/db/reads.ts';
import { Standby } from '../src/db/standby.ts';
import { Standbys } from '../src/db/standbys.ts';
import { becomeTestUser } from '../src/embedded/test-folder.ts';
import { TestStandby } from '../src/embedded/test-standby.ts';
import { createLog } from '../src/telemetry/log.ts';
import { UserReader } from '../src/users/user-reader.ts';
import { BenchServer } from './bench-server.ts';
import { anySettledId } from './calls.ts';
import { runInterruptibly } from './interruptible.ts';
import { describeRun } from './machine.ts';
import { Turn } from '../src/lib/turn.ts';
import { median, medianRatio } from './statistics.ts';

const rounds = 7;
const seconds = 3;
/** Between two reads of a client, at most. */
const thinkMs = 4;

const limits = { maxInFlight: 2, maxSize: 128, maxWaiting: 10_000, maxWaitMs: 5_000 };
const services = {
  clock: performance,
  random: Math.random,
  log: createLog({ level: 'silent', name: 'bench', pretty: false }),
};
const patient = new AbortController().signal;

interface Way {
  readonly name: string;
  readonly standbys: number;
  readonly maxTogether: number;
}

const ways: readonly Way[] = [
  { name: 'one standby', standbys: 1, maxTogether: 128 },
  { name: 'two, chosen for a turn', standbys: 2, maxTogether: 128 },
  { name: 'two, chosen for a call', standbys: 2, maxTogether: 1 },
];

function openPool(role: Role, endpoint: Endpoint, pools: Pool[]): Pool {
  const times = { lifetimeMs: 600_000, idleTimeMs: 300_000, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  const sizes = { maxOpen: 10, maxIdle: 10, maxWaiting: 10_000 };
  const pool = new Pool(
    { role, endpoint, applicationName: 'bench', prepare: true, wrap: false, ...times, ...sizes },
    services,
  );
  pools.push(pool);
  return pool;
}

/** As a worker reads, for a while: microseconds of its CPU for a read, and reads a second. */
async function measure(way: Way, write: Endpoint, reads: readonly Endpoint[], clients: number): Promise<Sample> {
  const pools: Pool[] = [];
  const servers: Server[] = [];
  const { clock, log, random } = services;
  const turn = new Turn(clock);
  const primaryLog = new PrimaryLog(clock, 10_000);
  const standbys = reads.slice(0, way.standbys).map((endpoint) => {
    const batches = new BatchedPool(openPool('read', endpoint, pools), {
      limits,
      clock,
      turn,
      position: replayPosition,
    });
    const server = new Server(endpoint, new Probe({ endpoint, applicationName: 'bench', prepare: true, clock }));
    servers.push(server);
    return new Standby(server, batches, { primary: () => undefined, primaryLog, maxLagMs: 60_000, log });
  });
  await Promise.all(standbys.map(async (standby) => standby.check()));
  const reader = new UserReader(
    new Reads({
      primary: new BatchedPool(openPool('write', write, pools), { limits, clock, turn, position: primaryPosition }),
      standbys: new Standbys(standbys, { maxTogether: way.maxTogether, random }),
      maxCatchUpMs: 20,
      timeoutMs: 5_000,
      clock,
      onFailure: () => undefined,
      onOldPrimary: async () => undefined,
    }),
  );
  await readFor(reader, clients, 500);
  const cpu = process.cpuUsage();
  const count = await readFor(reader, clients, seconds * 1_000);
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all([...pools, ...servers].map(async (one) => one.close()));
  return { cpuUs: (user + system) / count, perSecond: count / seconds };
}

interface Sample {
  readonly cpuUs: number;
  readonly perSecond: number;
}

async function readFor(reader: UserReader, clients: number, ms: number): Promise<number> {
  const until = performance.now() + ms;
  let count = 0;
  const live = async (): Promise<void> => {
    for (; performance.now() < until; count += 1) {
      await reader.find(anySettledId(), { lifetime: patient, token: undefined, seen: undefined });
      await sleep(Math.random() * thinkMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, live));
  return count;
}

async function compare(
  write: Endpoint,
  reads: readonly Endpoint[],
  clients: number,
  signal: AbortSignal,
): Promise<void> {
  const samples = new Map(ways.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) {
      signal.throwIfAborted();
      samples.get(way.name)?.push(await measure(way, write, reads, clients));
    }
  }
  const [base = []] = samples.values();
  for (const [name, all] of samples) {
    const of = (key: keyof Sample, list: readonly Sample[]): number[] => list.map((one) => one[key]);
    const ratio = medianRatio(of('cpuUs', all), of('cpuUs', base)).toFixed(2);
    const [cpuUs, perSecond] = [median(of('cpuUs', all)), median(of('perSecond', all))].map(Math.round);
    console.log(`${clients} clients, ${name}: ${cpuUs} µs a read (× ${ratio}), ${perSecond} reads/s`);
  }
}

await runInterruptibly(async (signal) => {
  console.log(describeRun(new Date()));
  await becomeTestUser();
  const server = await BenchServer.start({ WORKERS: '1' });
  let second: TestStandby | undefined;
  try {
    await server.settle();
    const { write, read } = server.endpoints;
    second = await TestStandby.create(write);
    for (const clients of [16, 64, 256]) await compare(write, [read, second.endpoint], clients, signal);
  } finally {
    await second?.remove();
    await server.stop();
  }
});
