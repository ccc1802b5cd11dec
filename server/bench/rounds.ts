import { BenchServer } from './bench-server.ts';
import type { CallName } from './calls.ts';
import { sides, type Figure, type Side, type Source } from './lines.ts';
import { runLoad } from './load.ts';
import { pgbenchScripts, runPgbench } from './pgbench.ts';
import { deletePassing, insertUsers } from './prepare.ts';

const connections = 64;

/** More than a machine of this kind deletes in a second; a load that has deleted all of them ends early. */
const doomedPerSecond = 15_000;

/** One measurement of a source; pgbench has only `perSecond`. CPU is per request. */
export type Sample = Readonly<Partial<Record<Figure | 'workerUs' | 'clientUs' | 'failures', number>>>;

/** By `keyOf`, one sample per round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

export function keyOf({ call, on }: Source): string {
  return `${call} ${on}`;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** The path of pgbench; if set, its sources are measured, too. */
  readonly pgbench: string | undefined;
  readonly signal: AbortSignal;
  readonly tell: (progress: string) => void;
}

/**
 * Measures every source once per round, all sides of a call in succession. All servers run all the time, but only one
 * is loaded. Leaves nothing running, also when the signal aborts; then it rejects.
 */
export async function measureRounds(sources: readonly Source[], options: RoundsOptions): Promise<Samples> {
  const servers = new Map<Side, BenchServer>();
  const samples = new Map<string, Sample[]>();
  try {
    for (const side of new Set(sources.map(({ on }) => (on === 'pgbench' ? 'batched' : on)))) {
      options.tell(`starting ${side}`);
      const server = await BenchServer.start(sides[side]);
      servers.set(side, server);
      await server.settle();
    }
    // Round 0 does not count: it warms up code, connections and plans.
    for (let round = 0; round <= options.rounds; round += 1) {
      // The order alternates, so that no side has an advantage.
      for (const source of round % 2 === 1 ? sources : sources.toReversed()) {
        options.signal.throwIfAborted();
        options.tell(`round ${round} of ${options.rounds}: ${keyOf(source)}`);
        const before = samples.get(keyOf(source)) ?? [];
        const sample = await measure(source, servers, options);
        if (round > 0) samples.set(keyOf(source), [...before, sample]);
      }
    }
    return samples;
  } finally {
    await Promise.all([...servers.values()].map(async (server) => server.stop()));
  }
}

async function measure(
  { call, on }: Source,
  servers: ReadonlyMap<Side, BenchServer>,
  options: RoundsOptions,
): Promise<Sample> {
  const server = servers.get(on === 'pgbench' ? 'batched' : on);
  if (server === undefined) throw new Error(`no server runs for ${on}`);
  return await (on === 'pgbench' ? withPgbench(call, server, options) : overHttp(call, server, options));
}

async function overHttp(call: CallName, server: BenchServer, { seconds, signal }: RoundsOptions): Promise<Sample> {
  const doomed = call === 'delete' ? doomedPerSecond * seconds : 0;
  // Pending writes and clean-up of the last measurement must not count in this one.
  await server.prepare(deletePassing, insertUsers('doomed', doomed), 'vacuum users', 'checkpoint');
  const before = server.cpuUs();
  const { requests, failures, perSecond, p99Ms, clientCpuUs } = await runLoad(
    { port: server.port, connections, seconds, calls: [call], doomed },
    signal,
  );
  const after = server.cpuUs();
  return {
    perSecond,
    p99Ms,
    failures,
    databaseUs: (after.databases - before.databases) / requests,
    workerUs: (after.workers - before.workers) / requests,
    clientUs: clientCpuUs / requests,
  };
}

async function withPgbench(call: CallName, server: BenchServer, options: RoundsOptions): Promise<Sample> {
  if (options.pgbench === undefined || !(call in pgbenchScripts)) throw new Error(`pgbench cannot ${call}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Checked in the line above.
  const script = pgbenchScripts[call as keyof typeof pgbenchScripts];
  const endpoint = server.endpoints[call === 'post' ? 'write' : 'read'];
  return { perSecond: await runPgbench(options.pgbench, script, endpoint, options.seconds, options.signal) };
}
