/**
 * The cost of a session: CPU of workers and databases per `GET /users/:id`, and requests per second, signed in over open.
 * `node server/bench/session-cost.ts`: three minutes, both cores; `--rounds`, `--seconds`, `--connections 1,8,64`.
 *
 * One server answers both sides alternately: without a token a guest is let in, with one its session is found, and its rate limit
 * counted. There are 50 sessions, so each worker looks each of them up once a second. The result is the median of the ratios of pairs; pairs are
 * short, because other load on the machine changes within seconds.
 */
import { parseArgs } from 'node:util';

import { SignInAnswer } from '@messenger/protocol/accounts';
import { Value } from 'typebox/value';

import { BenchServer } from './bench-server.ts';
import { LoadGenerator } from './load.ts';
import { describeRun } from './machine.ts';
import { median, medianRatio } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '41' },
    seconds: { type: 'string', default: '0.5' },
    connections: { type: 'string', default: '1,8,64' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const sessions = 50;
const figures = ['cpuUs', 'workersUs', 'databasesUs', 'perSecond'] as const;

type Sample = Readonly<Record<(typeof figures)[number], number>>;

async function post(server: BenchServer, path: string, body: object): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}`);
  const { token = '' } = Value.Parse(SignInAnswer, await answer.json());
  return token;
}

async function signIn(server: BenchServer): Promise<readonly string[]> {
  const credentials = { username: 'bench', password: 'zq vkw jhg plm' };
  const tokens = [await post(server, '/accounts', { ...credentials, first_name: 'B', last_name: 'B' })];
  while (tokens.length < sessions) tokens.push(await post(server, '/sessions', credentials));
  return tokens;
}

async function measure(
  server: BenchServer,
  connections: number,
  tokens: readonly string[] | undefined,
): Promise<Sample> {
  const load = { port: server.port, connections, seconds, calls: ['get'] as const, tokens };
  const { go } = await generator.open(load);
  const before = server.cpuUs();
  const { requests, failures, perSecond } = await go();
  if (failures > 0) throw new Error(`${failures} requests failed`);
  const after = server.cpuUs();
  const workersUs = (after.workers - before.workers) / requests;
  const databasesUs = (after.databases - before.databases) / requests;
  return { cpuUs: workersUs + databasesUs, workersUs, databasesUs, perSecond };
}

/** Prints the median of each figure, and of the ratios within pairs. */
async function compare(server: BenchServer, connections: number, tokens: readonly string[]): Promise<void> {
  const samples: Record<'signedIn' | 'open', Sample[]> = { signedIn: [], open: [] };
  const sides = [
    ['signedIn', tokens],
    ['open', undefined],
  ] as const;
  // Round 0 warms up. The order alternates.
  for (let round = 0; round <= rounds; round += 1)
    for (const [side, used] of round % 2 === 0 ? sides : sides.toReversed()) {
      const sample = await measure(server, connections, used);
      if (round > 0) samples[side].push(sample);
    }
  console.log(`${connections} connections`);
  for (const figure of figures) {
    const [on, off] = [samples.signedIn, samples.open].map((all) => all.map((one) => one[figure]));
    if (on === undefined || off === undefined) continue;
    const ratio = medianRatio(on, off).toFixed(3);
    console.log(`${figure.padEnd(12)} signed in ${median(on).toFixed(1)}, open ${median(off).toFixed(1)}: × ${ratio}`);
  }
}

const generator = LoadGenerator.start(new AbortController().signal);
const server = await BenchServer.start({ RATE_LIMIT_READS: '1000000' });
try {
  await server.settle();
  const tokens = await signIn(server);
  console.log(`${describeRun(new Date())}; ${rounds} pairs of ${seconds} s, ${sessions} sessions`);
  for (const connections of flags.connections.split(',')) await compare(server, Number(connections), tokens);
} finally {
  generator.stop();
  await server.stop();
}
