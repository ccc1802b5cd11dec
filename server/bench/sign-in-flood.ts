/**
 * Reads while passwords are guessed: p99 of `GET /users/:id` with 200 sign-ins a second and without.
 * `node server/bench/sign-in-flood.ts`: two minutes, both cores; `--rounds`, `--seconds`, `--reads` and `--sign-ins` per second.
 *
 * The guesses come from many addresses with many names, so that no throttle refuses them before their password is hashed. Rounds alternate; the
 * result is the median of the ratios of pairs.
 */
import { connect } from 'node:net';
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

/** Of the guesses, by status. */
const statuses = new Map<string, number>();

/** One guess, from an address of its own: all of 127.0.0.0/8 leads to this machine. */
function guess(port: number, number: number): void {
  const body = JSON.stringify({ username: `guessed-${number}`, password: `not the password ${number}` });
  const head = `POST /api/v1/sessions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json`;
  const localAddress = `127.${1 + (number % 250)}.${Math.floor(number / 250) % 250}.7`;
  const socket = connect({ port, host: '127.0.0.1', localAddress }).setEncoding('latin1');
  socket.on('error', () => statuses.set('error', (statuses.get('error') ?? 0) + 1));
  socket.on('data', (text: string) => {
    const status = text.slice(9, 12);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    socket.destroy();
  });
  socket.write(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}

let guesses = 0;

/** Guesses at the given rate until it is told to stop. */
function startFlood(port: number): () => void {
  const everyMs = 10;
  const timer = setInterval(() => {
    for (let n = 0; n < (Number(flags['sign-ins']) * everyMs) / 1_000; n += 1) guess(port, (guesses += 1));
  }, everyMs);
  return () => clearInterval(timer);
}

async function measure(port: number, isFlooded: boolean): Promise<number> {
  const stop = isFlooded ? startFlood(port) : () => undefined;
  const load = new OpenLoop({
    port,
    request: `GET /api/v1/users/${anySettledId()} HTTP/1.1\r\nhost: bench\r\n\r\n`,
    perSecond: Number(flags.reads),
    onsetSeconds: 1,
    seconds,
    honourRetryAfter: false,
  });
  const { latencies, latestMs } = await load.run();
  stop();
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
