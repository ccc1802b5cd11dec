import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Conversation } from '@messenger/protocol/conversations';

import { SocketClient } from '../socket-client.ts';
import { feedOf } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';
import type { Finding, Run } from './part.ts';
import { insertPeople } from './people.ts';
import { System } from './system.ts';

export interface RealtimeOptions {
  readonly people: number;
  readonly conversations: number;
  /** Killed in this order, one after the other, under load. */
  readonly victims: readonly Victim[];
  /** The load lasts at least so long. */
  readonly seconds: number;
}

type Victim = 'worker' | 'feed' | 'primary' | 'standby';

interface Device {
  readonly token: string;
  /** Undefined while it has no connection. */
  socket: SocketClient | undefined;
  /** What it holds, through all connections. */
  last: SocketClient | undefined;
}

const settleMs = 60_000;
/** For changes to arrive: seconds, also after a gap. */
const arriveMs = 15_000;

/**
 * People with two devices each send, edit, delete, react and read over sockets, and lose their connections, while workers, the feed and both
 * databases are killed. At the end, each device holds what the database has (G3); each was told every change once and in order, and nothing
 * older than before (G4); what was acknowledged is there (P1).
 */
export async function proveRealtime(options: RealtimeOptions, run: Run): Promise<Finding> {
  const system = await System.create({ REALTIME: 'on', RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' });
  try {
    return await new Realtime(system, options, run).prove();
  } finally {
    await system.destroy();
  }
}

class Realtime {
  readonly #system: System;
  readonly #options: RealtimeOptions;
  readonly #run: Run;
  readonly #violations: string[] = [];
  readonly #counts = { sends: 0, acknowledged: 0, connections: 0, kills: 0 };
  /** Ids of acknowledged messages. */
  readonly #sent = new Set<string>();
  #groups: readonly string[] = [];
  #devices: Device[] = [];
  #isOver = false;

  constructor(system: System, options: RealtimeOptions, run: Run) {
    this.#system = system;
    this.#options = options;
    this.#run = run;
  }

  async prove(): Promise<Finding> {
    const { people, conversations, seconds, victims } = this.#options;
    const { tokens, groups } = await insertPeople(this.#system, people, conversations);
    this.#groups = groups;
    this.#devices = tokens.flatMap((token) => [1, 2].map(() => ({ token, socket: undefined, last: undefined })));
    const living = Promise.all(this.#devices.map(async (device) => this.#live(device)));
    living.catch(() => undefined);
    const until = performance.now() + seconds * 1_000;
    for (const victim of victims) await this.#kill(victim);
    while (!this.#run.signal.aborted && performance.now() < until) await sleep(100);
    await this.#endWithoutFeed();
    await living;
    await this.#system.ready();
    await this.#compare();
    const { sends, acknowledged, connections, kills } = this.#counts;
    const figures = `${sends} sends, ${acknowledged} acknowledged, ${connections} connections, ${kills} kills`;
    return { figures: `${figures}, ${this.#violations.length} violations`, violations: this.#violations };
  }

  /** The last changes come while there is no feed: nothing later shows that they are missing. */
  async #endWithoutFeed(): Promise<void> {
    const feed = feedOf(this.#system.supervisor);
    if (feed !== undefined) this.#system.kill([feed]);
    const { acknowledged } = this.#counts;
    await waitFor('sends without a feed', () => this.#counts.acknowledged > acknowledged + 10, settleMs);
    this.#isOver = true;
  }

  async #kill(victim: Victim): Promise<void> {
    await sleep(this.#run.random.between(500, 2_000));
    const feed = feedOf(this.#system.supervisor);
    const victims = {
      worker: [this.#run.random.pick(this.#system.workers)],
      feed: feed === undefined ? [] : [feed],
      primary: this.#system.databaseProcesses('write'),
      standby: this.#system.databaseProcesses('read'),
    };
    this.#system.kill(victims[victim]);
    this.#counts.kills += 1;
    await this.#system.ready();
    const { acknowledged } = this.#counts;
    await waitFor('sends after the kill', () => this.#isOver || this.#counts.acknowledged > acknowledged, settleMs);
  }

  async #live(device: Device): Promise<void> {
    const { random } = this.#run;
    while (!this.#isOver) {
      const socket = await this.#connected(device);
      if (socket === undefined) continue;
      if (random.chance(0.03)) {
        socket.kill();
        await sleep(random.between(0, 300));
      } else await this.#act(socket).catch(() => undefined);
    }
  }

  /** Undefined when it could not connect. */
  async #connected(device: Device): Promise<SocketClient | undefined> {
    if (device.socket !== undefined && device.socket.closeCode === undefined) return device.socket;
    device.socket = undefined;
    try {
      const socket = await SocketClient.resume(Number(new URL(this.#system.url).port), device.token, device.last);
      this.#counts.connections += 1;
      this.#violations.push(...(device.last?.faults ?? []));
      device.last = socket;
      for (const id of this.#groups.slice(0, 2)) await socket.openAgain(id);
      device.socket = socket;
      return socket;
    } catch {
      await sleep(this.#run.random.between(10, 100));
      return undefined;
    }
  }

  async #act(socket: SocketClient): Promise<void> {
    const { random } = this.#run;
    const conversation_id = random.pick(this.#groups);
    const number = Math.max(1, (socket.heads.get(conversation_id)?.last_number ?? 1) - random.between(0, 5));
    const dice = random.next();
    if (dice < 0.6) return this.#send(socket, conversation_id);
    if (dice < 0.7) await socket.ask({ op: 'edit', conversation_id, number, body: `edited ${randomUUID()}` });
    else if (dice < 0.75) await socket.ask({ op: 'delete', conversation_id, number });
    else if (dice < 0.9)
      await socket.ask({ op: 'react', conversation_id, number, emoji: '👍', on: random.chance(0.6) });
    else await socket.ask({ op: 'read', conversation_id, number });
  }

  async #send(socket: SocketClient, conversation_id: string): Promise<void> {
    const id = randomUUID();
    this.#counts.sends += 1;
    const answer = await socket.ask({ op: 'send', conversation_id, id, body: `text ${id}` });
    if (answer.op !== 'done') return;
    this.#counts.acknowledged += 1;
    this.#sent.add(id);
  }

  async #compare(): Promise<void> {
    for (const device of this.#devices)
      await waitFor('a connection', async () => (await this.#connected(device)) !== undefined, settleMs);
    await this.#system.replicated();
    const rows = await this.#system.sql<{ id: string }>('write', 'select id from messages');
    const stored = new Set(rows.map(({ id }) => id));
    for (const id of this.#sent) if (!stored.has(id)) this.#violations.push(`the acknowledged message ${id} is lost`);
    for (const device of this.#devices) await this.#compareDevice(device);
  }

  async #compareDevice({ socket, token }: Device): Promise<void> {
    if (socket === undefined) return;
    const fresh = await SocketClient.hello(Number(new URL(this.#system.url).port), token);
    for (const id of this.#groups.slice(0, 2)) await fresh.open(id);
    const isEqual = (): boolean => differenceOf(socket, fresh) === undefined;
    await waitFor('the same state', isEqual, arriveMs).catch(() => {
      this.#violations.push(`a device differs: ${differenceOf(socket, fresh)}`);
    });
    this.#violations.push(...socket.faults, ...fresh.faults);
    await Promise.all([fresh.close(), socket.close()]);
  }
}

/** Undefined for none. */
function differenceOf(one: SocketClient, other: SocketClient): string | undefined {
  const [heads, expected] = [one, other].map((client) => JSON.stringify(sorted(client.heads.values())));
  if (heads !== expected) return `heads ${heads} instead of ${expected}`;
  for (const [id, held] of other.held) {
    const mine = one.held.get(id);
    const [state, wanted] = [mine, held].map((each) => JSON.stringify([each?.position, sortedMap(each?.messages)]));
    if (state !== wanted) return `conversation ${id}: ${state} instead of ${wanted}`;
  }
  return undefined;
}

function sorted(heads: Iterable<Conversation>): Conversation[] {
  return [...heads].toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

function sortedMap<Value>(map: ReadonlyMap<number, Value> = new Map()): [number, Value][] {
  return [...map].toSorted(([one], [other]) => one - other);
}
