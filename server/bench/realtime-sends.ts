/**
 * Durable sends per second over sockets: 64 senders in 64 conversations of their own, each with one message in flight, on two workers.
 * `node server/bench/realtime-sends.ts`
 */
import { randomUUID } from 'node:crypto';

import { SocketClient } from '../test/socket-client.ts';
import { signUpAt } from '../test/sign-up-at.ts';
import { BenchServer } from './bench-server.ts';
import { cpuUsOf } from './process-cpu.ts';
import { quantile } from './statistics.ts';

const senders = 64;
/** Sign-ups of one address are limited. */
const perAccount = 4;
const warmUpMs = 2_000;
const seconds = 15;

interface Sender {
  readonly socket: SocketClient;
  readonly conversation: string;
}

const server = await BenchServer.start({ REALTIME: 'on', WORKERS: '2', RATE_LIMIT_WRITES: '0' });
const cpuNow = () => ({ ...server.cpuUs(), feed: cpuUsOf([server.feedPid]), client: cpuUsOf([process.pid]) });
try {
  const url = `http://127.0.0.1:${server.port}`;
  const all: Sender[] = [];
  for (let account = 0; account < senders / perAccount; account += 1) {
    const person = await signUpAt({ url }, `sender${account}`);
    for (let count = 0; count < perAccount; count += 1) {
      const body = { kind: 'group', title: 'Bench', members: [] };
      const { id: conversation } = await person.call<{ id: string }>('POST', '/conversations', body);
      all.push({ socket: await SocketClient.hello(server.port, person.token), conversation });
    }
  }
  const beganMs = performance.now();
  const endMs = beganMs + warmUpMs + seconds * 1_000;
  const times: number[] = [];
  let sent = 0;
  const before = cpuNow();
  await Promise.all(
    all.map(async ({ socket, conversation }) => {
      while (performance.now() < endMs) {
        const sentMs = performance.now();
        const answer = await socket.ask({ op: 'send', conversation_id: conversation, id: randomUUID(), body: 'Hello' });
        if (answer.op !== 'done') throw new Error(`a send was refused: ${answer.problem.code}`);
        sent += 1;
        if (sentMs - beganMs > warmUpMs) times.push(performance.now() - sentMs);
      }
    }),
  );
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  const now = cpuNow();
  const perSend = (name: keyof typeof now): string => `${name} ${Math.round((now[name] - before[name]) / sent)}`;
  process.stdout.write(
    `${Math.round(times.length / seconds)} sends per second, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms\n` +
      `µs of CPU per send: ${(['workers', 'databases', 'feed', 'client'] as const).map(perSend).join(', ')}\n`,
  );
  await Promise.all(all.map(async ({ socket }) => socket.close()));
} finally {
  await server.stop();
}
