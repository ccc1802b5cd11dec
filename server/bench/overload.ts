/**
 * A server at three times its capacity: `node server/bench/overload.ts`, two minutes. It finds the capacity with a
 * closed loop, then the normal latency at 60 % of that, then offers three times as much: to users who ignore
 * `Retry-After`, and to users who obey it. Twice: with a stub that waits, so that other load on the machine matters
 * little, and with a whole one-worker server that creates users and shares the cores with its databases and this
 * program. `--max-queue-ms 0` shows both without admission control.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { BenchServer } from './bench-server.ts';
import { makeQuestions, type CallName } from './calls.ts';
import { LoadGenerator } from './load.ts';
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

/** Requests per second of 48 connections in a closed loop. */
async function findCapacity(port: number, call: CallName): Promise<number> {
  const generator = LoadGenerator.start(new AbortController().signal);
  const ask = async (forSeconds: number): Promise<number> => {
    const load = await generator.open({ port, connections: 48, seconds: forSeconds, calls: [call] });
    return (await load.go()).perSecond;
  };
  await ask(1);
  const capacity = await ask(2);
  generator.stop();
  return capacity;
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

/** A later answer is useless. */
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

async function overload(port: number, call: CallName): Promise<void> {
  const question = makeQuestions([call], { users: 1, doomed: 0 })();
  if (question === undefined) throw new Error(`there is no request for ${call}`);
  const capacity = await findCapacity(port, call);
  console.log(`capacity: ${capacity.toFixed(0)} requests/s`);
  const offer = async (name: string, times: number, honourRetryAfter: boolean): Promise<void> => {
    const load = new OpenLoop({
      port,
      request: question.text,
      perSecond: Math.round(capacity * times),
      onsetSeconds,
      seconds,
      honourRetryAfter,
    });
    report(name, question.status, await load.run(), capacity);
  };
  await offer('normal, at 60 %', 0.6, false);
  await offer(`${flags.times} times capacity, Retry-After ignored`, Number(flags.times), false);
  await offer(`${flags.times} times capacity, Retry-After obeyed`, Number(flags.times), true);
}

async function overloadStub(): Promise<void> {
  const stub = fork(join(import.meta.dirname, 'overload-server.ts'), [flags['max-queue-ms']]);
  const told: unknown[] = await once(stub, 'message');
  await overload(Number(told[0]), 'list');
  stub.disconnect();
}

async function overloadServer(): Promise<void> {
  const env = { WORKERS: '1', MAX_CONNECTIONS: '30000', MAX_QUEUE_MS: flags['max-queue-ms'] };
  const server = await BenchServer.start(env);
  try {
    await overload(server.port, 'post');
  } finally {
    await server.stop();
  }
}

if (flags.against !== 'server') await overloadStub();
if (flags.against !== 'stub') await overloadServer();
