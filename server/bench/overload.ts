/**
 * What becomes of a server that is offered three times what it can do: `node server/bench/overload.ts`, two minutes. It
 * finds the capacity by asking without pause, then the normal latency at 60 % of that, then offers three times as much:
 * to users who come when they are due, whatever they are told, and to users who come back when they are told to.
 * Twice: against a stub that waits, so that the machine's load matters little, and against a whole server of one worker
 * with its databases, which shares the cores with them and with this. `--max-queue-ms 0` shows both without admission.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { User } from '@messenger/protocol/users';
import { Value } from 'typebox/value';

import { run, type Run } from '../test/start-server.ts';
import { waitFor } from '../test/wait-for.ts';
import type { Order } from './http-client.ts';
import { OpenLoop, type Outcome } from './open-loop.ts';

const { values: flags } = parseArgs({
  options: {
    'max-queue-ms': { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    against: { type: 'string', default: 'both' },
    times: { type: 'string', default: '3' },
  },
});
const seconds = Number(flags.seconds);
const onsetSeconds = 2;

async function start(dataDir: string): Promise<Run> {
  const args = ['start', '--port', '0', '--workers', '1', '--data-dir', dataDir];
  const server = await run({ args: [...args, '--max-queue-ms', flags['max-queue-ms']] });
  await waitFor('the server to start', () => server.hasEnded || server.isServing, 60_000);
  return server;
}

async function createUser(url: string): Promise<User> {
  const answer = await fetch(`${url}/api/v1/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ first_name: 'Ada', last_name: 'Lovelace' }),
  });
  return Value.Parse(User, await answer.json());
}

/** Requests per second of 64 connections that ask again as soon as they are answered. */
async function findCapacity(port: number, request: string): Promise<number> {
  const client = fork(join(import.meta.dirname, 'http-client.ts'));
  const askAll = async (requests: number): Promise<number> => {
    const began = performance.now();
    const order: Order = { port, connections: 48, requests, request, status: 200 };
    client.send(order);
    await once(client, 'message');
    return (requests / (performance.now() - began)) * 1_000;
  };
  await askAll(2_000);
  const capacity = await askAll(10_000);
  client.disconnect();
  return capacity;
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

/** An answer that comes later than this is no good to anyone. */
const goodWithinMs = 1_000;

function report(name: string, { latencies, onset, sent, latestMs }: Outcome, capacity: number): void {
  const good = (latencies.get(200) ?? []).filter((ms) => ms <= goodWithinMs).length / seconds;
  console.log(`\n${name}: ${sent} sent, the generator at most ${latestMs.toFixed(0)} ms late`);
  console.log(`  goodput ${good.toFixed(0)}/s, ${((100 * good) / capacity).toFixed(0)} % of capacity`);
  for (const [status, all] of latencies) console.log(`  ${status}: ${describe(all)}`);
  console.log(`  in the first ${onsetSeconds} s: 200: ${describe(onset.get(200) ?? [])}`);
}

function describe(latencies: readonly number[]): string {
  const [p50, p99, max] = [0.5, 0.99, 0.999999].map((part) => percentile(latencies, part).toFixed(1));
  return `${latencies.length}, p50 ${p50}, p99 ${p99}, max ${max} ms`;
}

async function overload(port: number, path: string): Promise<void> {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  const capacity = await findCapacity(port, request);
  console.log(`capacity: ${capacity.toFixed(0)} requests/s`);
  const offer = async (name: string, times: number, honourRetryAfter: boolean): Promise<void> => {
    const load = new OpenLoop({
      port,
      request,
      perSecond: Math.round(capacity * times),
      onsetSeconds,
      seconds,
      honourRetryAfter,
    });
    report(name, await load.run(), capacity);
  };
  await offer('normal, at 60 %', 0.6, false);
  await offer(`${flags.times} times capacity, nobody listens`, Number(flags.times), false);
  await offer(`${flags.times} times capacity, all heed Retry-After`, Number(flags.times), true);
}

async function overloadStub(): Promise<void> {
  const stub = fork(join(import.meta.dirname, 'overload-server.ts'), [flags['max-queue-ms']]);
  const told: unknown[] = await once(stub, 'message');
  await overload(Number(told[0]), '/work');
  stub.disconnect();
}

async function overloadServer(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'messenger-overload-'));
  await chmod(dataDir, 0o755); // As root, the databases run as somebody else, who must get through.
  const server = await start(join(dataDir, 'data'));
  try {
    const { id } = await createUser(server.url);
    await overload(Number(new URL(server.url).port), `/api/v1/users/${id}`);
  } finally {
    server.kill('SIGTERM');
    await server.ended();
    await rm(dataDir, { recursive: true, force: true });
  }
}

if (flags.against !== 'server') await overloadStub();
if (flags.against !== 'stub') await overloadServer();
