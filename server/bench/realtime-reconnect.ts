/** The sockets of killed workers come back with `since`, while messages are sent. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { BenchServer } from './bench-server.ts';
import { chatOf, idOf, tokenOf } from './chat-load.ts';
import { RealtimeClient } from './realtime-client.ts';
import { ReturningClients } from './realtime-processes.ts';
import { env } from './realtime-sends.ts';
import { quantile } from './statistics.ts';

const sockets = 10_000;
const people = 200;
const messagesEach = 10;
const everyMs = 25;
/** Messages before the workers are killed, and after all sockets are back. */
const quietMs = 2_000;

export interface Reconnects {
  readonly sockets: number;
  readonly lost: number;
  /** Seconds from the kill until so many were caught up. */
  readonly halfSeconds: number;
  readonly allSeconds: number;
  readonly repeated: number;
  readonly refused: readonly string[];
  readonly faults: readonly string[];
  readonly sent: number;
}

/** All workers at once, so that every socket is cut, and none is left to accept. */
export async function measureReconnects(signal: AbortSignal): Promise<Reconnects> {
  const server = await BenchServer.start({ ...env, MAX_SOCKETS_PER_ACCOUNT: '0' });
  const clients = new ReturningClients();
  try {
    const { port } = server;
    await server.prepare(...chatOf({ people, conversations: people, membersEach: 5, messagesEach }));
    await clients.ask({ sockets, people, port });
    const trickle = await Trickle.start(port);
    await sleep(quietMs, undefined, { signal });
    const killedMs = Date.now();
    server.killWorkers();
    const back = await clients.ask({ back: true });
    await sleep(quietMs, undefined, { signal });
    const lastNumbers = await trickle.stop();
    const { faults, lost, repeated, refused } = await clients.ask({ lastNumbers });
    const seconds = back.backMs.map((ms) => (ms - killedMs) / 1_000);
    return {
      sockets,
      lost,
      halfSeconds: quantile(seconds, 0.5),
      allSeconds: Math.max(...seconds),
      repeated,
      refused,
      faults,
      sent: trickle.sent,
    };
  } finally {
    clients.stop();
    await server.stop();
  }
}

/** Messages to all conversations in turn. */
class Trickle {
  sent = 0;
  readonly #clients: RealtimeClient[];
  readonly #numbers = Array.from({ length: people }, () => messagesEach);
  #isStopping = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(clients: RealtimeClient[]) {
    this.#clients = clients;
  }

  static async start(port: number): Promise<Trickle> {
    const clients: RealtimeClient[] = [];
    for (let group = 1; group <= people; group += 1)
      clients.push(await RealtimeClient.open({ port, token: tokenOf(1 + (group % people)) }));
    const trickle = new Trickle(clients);
    trickle.#done = trickle.#run();
    return trickle;
  }

  /** Resolves with the number of the last message of each conversation, when all are answered. */
  async stop(): Promise<readonly number[]> {
    this.#isStopping = true;
    await this.#done;
    for (const client of this.#clients) client.close();
    return this.#numbers;
  }

  async #run(): Promise<void> {
    const sends: Promise<void>[] = [];
    while (!this.#isStopping) {
      sends.push(this.#send(this.sent % people));
      this.sent += 1;
      await sleep(everyMs);
    }
    await Promise.all(sends);
  }

  async #send(place: number): Promise<void> {
    const conversation_id = idOf(`group ${place + 1}`);
    const call = { op: 'send', conversation_id, id: randomUUID(), body: `Message ${this.sent}` } as const;
    const answer = await this.#clients[place]?.ask(call);
    if (answer?.op !== 'done' || answer.number === undefined) throw new Error('a send was refused');
    this.#numbers[place] = Math.max(this.#numbers[place] ?? 0, answer.number);
  }
}
