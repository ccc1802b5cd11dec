/**
 * Reads while passwords are guessed: p99 of `GET /users/:id` with 200 sign-ins a second and without.
 * `node server/bench/sign-in-flood.ts`: three minutes, both cores; `--rounds`, `--seconds`, `--reads` and `--sign-ins` per second.
 *
 * The guesses come from many addresses with many names, so that no throttle refuses them before their password is hashed. Rounds alternate; the
 * result is the median of the ratios of pairs.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

import { BenchServer } from './bench-server.ts';
import { anySettledId } from './calls.ts';
import { OpenLoop } from './open-loop.ts';
import { median, medianRatio, quantile } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '5' },
    reads: { type: 'string', default: '500' },
    'sign-ins': { type: 'string', default: '200' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
/** Not measured: the first hashes of an attack have no pauses. */
const onsetSeconds = 4;

/** Of the guesses, by status. */
const statuses = new Map<string, number>();

/** Guesses until the returned function is called. A process of its own: it must not delay the reads' clients. */
function startFlood(port: number): () => Promise<void> {
  const program = new URL('sign-in-flood-process.ts', import.meta.url);
  const child = fork(program, [String(port), flags['sign-ins']]);
  return async () => {
    const ended = once(child, 'exit');
    child.once('message', (counts: Readonly<Record<string, number>>) => {
      for (const [status, count] of Object.entries(counts)) statuses.set(status, (statuses.get(status) ?? 0) + count);
    });
    child.send('stop');
    await ended;
  };
}

async function measure(port: number, isFlooded: boolean): Promise<number> {
  const stop = isFlooded ? startFlood(port) : async () => undefined;
  const load = new OpenLoop({
    port,
    request: `GET /api/v1/users/${anySettledId()} HTTP/1.1\r\nhost: bench\r\n\r\n`,
    perSecond: Number(flags.reads),
    onsetSeconds,
    seconds,
    honourRetryAfter: false,
    spins: false,
  });
  const { latencies, latestMs } = await load.run();
  await stop();
  const good = latencies.get(200) ?? [];
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(good, share));
  const others = [...latencies]
    .filter(([status]) => status !== 200)
    .map(([status, all]) => `${all.length} × ${status}`);
  console.log(
    `${isFlooded ? 'flood' : 'quiet'}: p50 ${p50?.toFixed(2)}, p99 ${p99?.toFixed(2)} ms; generator at most ${latestMs.toFixed(0)} ms late ${others.join()}`,
  );
  return p99 ?? Number.NaN;
}

const server = await BenchServer.start({ MAX_CONNECTIONS: '30000' });
try {
  await server.settle();
  const samples: Record<'flood' | 'quiet', number[]> = { flood: [], quiet: [] };
  // Round 0 warms up. The order alternates.
  for (let round = 0; round <= rounds; round += 1)
    for (const isFlooded of round % 2 === 0 ? [true, false] : [false, true]) {
      const p99 = await measure(server.port, isFlooded);
      if (round > 0) samples[isFlooded ? 'flood' : 'quiet'].push(p99);
    }
  const [flood, quiet] = [median(samples.flood), median(samples.quiet)];
  console.log(
    `p99 with the flood ${flood.toFixed(2)} ms, without ${quiet.toFixed(2)} ms: × ${medianRatio(samples.flood, samples.quiet).toFixed(2)}`,
  );
  console.log(`guesses by status: ${[...statuses].map(([status, count]) => `${status} × ${count}`).join(', ')}`);
} finally {
  await server.stop();
}
