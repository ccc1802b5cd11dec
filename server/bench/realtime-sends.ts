/** Durable sends over sockets: 64 senders in 64 conversations of their own. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { BenchServer } from './bench-server.ts';
import { chatOf, idOf, tokenOf } from './chat-load.ts';
import { feedProcesses } from './feed-processes.ts';
import { cpuUsOf } from './process-cpu.ts';
import { RealtimeClient } from './realtime-client.ts';
import { quantile } from './statistics.ts';

const senders = 64;
const body = 'The quick brown fox jumps over the lazy dog, and the dog answers at some length.';

export const env = { REALTIME: 'on', WORKERS: '2', RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' };

interface Load {
  readonly seconds: number;
  /** Unanswered sends of each sender. */
  readonly inFlight: number;
  /** Sends per second of all senders; without it, each answer is followed by the next send. */
  readonly rate?: number;
}

export interface SendFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU microseconds per send, in the order of `cpuParts`. */
  readonly cpuUs: readonly number[];
}

/** Log sender and snapshots are part of the databases. */
export const cpuParts = ['workers', 'databases', 'feed', 'log sender', 'snapshots', 'clients'] as const;

/** A server, and the sockets of the senders. */
export class Senders {
  readonly server: BenchServer;
  readonly #clients: readonly RealtimeClient[];

  private constructor(server: BenchServer, clients: readonly RealtimeClient[]) {
    this.server = server;
    this.#clients = clients;
  }

  static async start(): Promise<Senders> {
    const server = await BenchServer.start(env);
    await server.prepare(...chatOf({ people: senders, conversations: senders, membersEach: 1, messagesEach: 0 }));
    const { port } = server;
    const clients = Array.from({ length: senders }, async (_none, group) =>
      RealtimeClient.open({ port, token: tokenOf(1 + ((group + 1) % senders)) }),
    );
    return new Senders(server, await Promise.all(clients));
  }

  async measure(load: Load, signal: AbortSignal): Promise<SendFigures> {
    const before = await this.#cpuUs();
    const endMs = performance.now() + load.seconds * 1_000;
    const times: number[] = [];
    const lanes = senders * load.inFlight;
    const everyMs = load.rate === undefined ? 0 : (1_000 * lanes) / load.rate;
    const drive = async (lane: number): Promise<void> => {
      for (let dueMs = endMs - load.seconds * 1_000 + (everyMs * lane) / lanes; dueMs < endMs; dueMs += everyMs) {
        if (dueMs > performance.now()) await sleep(dueMs - performance.now());
        else if (performance.now() > endMs) break;
        signal.throwIfAborted();
        const beganMs = performance.now();
        await this.send(lane % senders);
        times.push(performance.now() - beganMs);
      }
    };
    await Promise.all(Array.from({ length: lanes }, async (_none, lane) => drive(lane)));
    const after = await this.#cpuUs();
    return {
      perSecond: times.length / load.seconds,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      cpuUs: after.map((us, place) => (us - (before[place] ?? 0)) / times.length),
    };
  }

  async send(place: number): Promise<void> {
    const conversation_id = idOf(`group ${place + 1}`);
    const answer = await this.#clients[place]?.ask({ op: 'send', conversation_id, id: randomUUID(), body });
    if (answer?.op !== 'done') throw new Error(`a send was refused: ${answer?.problem.code}`);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
  }

  /** In the order of `cpuParts`. */
  async #cpuUs(): Promise<number[]> {
    const { workers, databases } = this.server.cpuUs();
    const { feed, sender, snapshots } = await feedProcesses(this.server);
    return [workers, databases, ...[feed, sender, snapshots, [process.pid]].map(cpuUsOf)];
  }
}
