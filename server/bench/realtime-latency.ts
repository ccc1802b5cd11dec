/** One message to one idle peer on another worker, beside a durable commit, in turn. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ServerFrame } from '@messenger/protocol/frames';
import { Client } from 'pg';

import { roles } from '../src/embedded/settings.ts';
import { signUpAt } from '../test/sign-up-at.ts';
import type { BenchServer } from './bench-server.ts';
import { RealtimeClient, workerOf } from './realtime-client.ts';

const body = 'The quick brown fox jumps over the lazy dog, and the dog answers at some length.';
/** Between two measurements, at random: nothing waits for anything. */
const pauseMs = 20;

/** All in milliseconds. */
export interface Latencies {
  readonly commits: number[];
  readonly answers: number[];
  readonly arrivals: number[];
}

export async function measureLatency(server: BenchServer, seconds: number, signal: AbortSignal): Promise<Latencies> {
  const { port } = server;
  const url = `http://127.0.0.1:${port}`;
  const [ada, bob] = [await signUpAt({ url }, 'ada'), await signUpAt({ url }, 'bob')];
  const group = { kind: 'group', title: 'Bench', members: [bob.id] };
  const { id: conversation_id } = await ada.call<{ id: string }>('POST', '/conversations', group);
  let arrived = Promise.withResolvers<number>();
  const sender = await RealtimeClient.open({ port, token: ada.token });
  const hear = (frame: ServerFrame): void => {
    if (frame.op === 'changes' && frame.messages.length > 0) arrived.resolve(performance.now());
  };
  const peer = await server.whileFrozen(Number(await workerOf(sender)), async () =>
    RealtimeClient.open({ port, token: bob.token, onFrame: hear }),
  );
  await peer.ask({ op: 'open', conversation_id, after: 0 });
  const commit = await openCommits(server);
  const latencies: Latencies = { commits: [], answers: [], arrivals: [] };
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    signal.throwIfAborted();
    await sleep(Math.random() * pauseMs);
    latencies.commits.push(await commit.measure());
    await sleep(Math.random() * pauseMs);
    arrived = Promise.withResolvers();
    const beganMs = performance.now();
    const answered = sender.ask({ op: 'send', conversation_id, id: randomUUID(), body }).then(() => performance.now());
    latencies.arrivals.push((await arrived.promise) - beganMs);
    latencies.answers.push((await answered) - beganMs);
  }
  if ((await workerOf(sender)) === (await workerOf(peer))) throw new Error('both sockets are on one worker');
  for (const client of [sender, peer]) client.close();
  await commit.close();
  return latencies;
}

/** Commits of one row on a connection of its own. */
async function openCommits({ endpoints: { write } }: BenchServer) {
  const { host, port, database } = write;
  const client = new Client({ host, port, database, user: roles.superuser });
  await client.connect();
  const { rows } = await client.query<{ synchronous_commit: string }>('show synchronous_commit');
  if (rows[0]?.synchronous_commit !== 'on') throw new Error('the commits would not be durable');
  await client.query('create table bench_commits (id uuid primary key, body text not null)');
  const insert = { name: 'commit', text: 'insert into bench_commits values ($1, $2)' };
  return {
    measure: async (): Promise<number> => {
      const beganMs = performance.now();
      await client.query({ ...insert, values: [randomUUID(), body] });
      return performance.now() - beganMs;
    },
    close: async (): Promise<void> => client.end(),
  };
}
