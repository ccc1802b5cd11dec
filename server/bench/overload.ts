/**
 * What becomes of a server that is offered three times what it can do: `node server/bench/overload.ts`, two minutes. It
 * finds the capacity by asking without pause, then the normal latency at 60 % of that, then offers three times as much:
 * to users who come when they are due, whatever they are told, and to users who come back when they are told to.
 * Twice: against a stub that waits, so that the machine's load matters little, and against a whole server of one worker
 * with its databases, which creates users and shares the cores with them and with this. `--max-queue-ms 0` shows both without admission.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

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
const head = 'HTTP/1.1\r\nHost: 127.0.0.1\r\n';

async function start(dataDir: string): Promise<Run> {
  const args = ['start', '--port', '0', '--workers', '1', '--max-connections', '30000', '--data-dir', dataDir];
  const server = await run({ args: [...args, '--max-queue-ms', flags['max-queue-ms']] });
  await waitFor('the server to start', () => server.hasEnded || server.isServing, 60_000);
  return server;
}

interface Question {
  /** The bytes of one request. */
  readonly request: string;
  /** Of its answer, if it is not refused. */
  readonly status: number;
}

/** Requests per second of 48 connections that ask again as soon as they are answered. */
async function findCapacity(port: number, question: Question): Promise<number> {
  const client = fork(join(import.meta.dirname, 'http-client.ts'));
  const askAll = async (requests: number): Promise<number> => {
    const began = performance.now();
    const order: Order = { port, connections: 48, requests, ...question };
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

function report(name: string, status: number, { latencies, onset, sent, latestMs }: Outcome, capacity: number): void {
  const good = (latencies.get(status) ?? []).filter((ms) => ms <= goodWithinMs).length / seconds;
  console.log(`\n${name}: ${sent} sent, the generator at most ${latestMs.toFixed(0)} ms late`);
  console.log(`  goodput ${good.toFixed(0)}/s, ${((100 * good) / capacity).toFixed(0)} % of capacity`);
  for (const [each, all] of latencies) console.log(`  ${each}: ${describe(all)}`);
  console.log(`  in the first ${onsetSeconds} s: ${status}: ${describe(onset.get(status) ?? [])}`);
}

function describe(latencies: readonly number[]): string {
  const [p50, p99, max] = [0.5, 0.99, 0.999999].map((part) => percentile(latencies, part).toFixed(1));
  return `${latencies.length}, p50 ${p50}, p99 ${p99}, max ${max} ms`;
}

async function overload(port: number, question: Question): Promise<void> {
  const capacity = await findCapacity(port, question);
  console.log(`capacity: ${capacity.toFixed(0)} requests/s`);
  const offer = async (name: string, times: number, honourRetryAfter: boolean): Promise<void> => {
    const load = new OpenLoop({
      port,
      request: question.request,
      perSecond: Math.round(capacity * times),
      onsetSeconds,
      seconds,
      honourRetryAfter,
    });
    report(name, question.status, await load.run(), capacity);
  };
  await offer('normal, at 60 %', 0.6, false);
  await offer(`${flags.times} times capacity, nobody listens`, Number(flags.times), false);
  await offer(`${flags.times} times capacity, all heed Retry-After`, Number(flags.times), true);
}

async function overloadStub(): Promise<void> {
  const stub = fork(join(import.meta.dirname, 'overload-server.ts'), [flags['max-queue-ms']]);
  const told: unknown[] = await once(stub, 'message');
  await overload(Number(told[0]), { request: `GET /work ${head}\r\n`, status: 200 });
  stub.disconnect();
}

async function overloadServer(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'messenger-overload-'));
  await chmod(dataDir, 0o755); // As root, the databases run as somebody else, who must get through.
  const server = await start(join(dataDir, 'data'));
  try {
    const body = JSON.stringify({ first_name: 'Ada', last_name: 'Lovelace' });
    const bodyHead = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    await overload(Number(new URL(server.url).port), {
      request: `POST /api/v1/users ${head}${bodyHead}\r\n${body}`,
      status: 201,
    });
  } finally {
    server.kill('SIGTERM');
    await server.ended();
    await rm(dataDir, { recursive: true, force: true });
  }
}

if (flags.against !== 'server') await overloadStub();
if (flags.against !== 'stub') await overloadServer();
