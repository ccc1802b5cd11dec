/**
 * Cost and delay of the feed: CPU microseconds of feed and log sender per message, and the time from the answer of a commit to its arrival at
 * a worker. `node server/bench/feed.ts`: a minute, one core; `--rate` messages per second, `--seconds` per part.
 *
 * A whole server with its embedded databases; the messages are written directly, in commits of 1, 10 and 50, and two workers follow all of them.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Client } from 'pg';

import { roles } from '../src/embedded/settings.ts';
import { TestWorker } from '../test/feed.ts';
import { waitFor } from '../test/wait-for.ts';
import { BenchServer } from './bench-server.ts';
import { feedProcesses } from './feed-processes.ts';
import { cpuUsOf } from './process-cpu.ts';
import { quantile } from './statistics.ts';

const { values: flags } = parseArgs({
  options: { rate: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '10' } },
});
const rate = Number(flags.rate);
const seconds = Number(flags.seconds);

const writers = 4;
const body = 'The quick brown fox jumps over the lazy dog, and the dog answers at some length. '.repeat(2);

const insert = `
  with sent as (select * from unnest($1::uuid[], $2::bigint[]) as s (conversation_id, number)),
  moved as (update conversations c set seq = number, last_number = number, last_preview = left($4, 100), active_at = now()
    from sent where c.id = sent.conversation_id)
  insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq, search)
  select conversation_id, number, gen_random_uuid(), $3, $4, '\\x00', number, to_tsvector('simple', $4) from sent`;

interface Part {
  readonly messages: number;
  /** Of each commit, from its answer to its arrival at the first worker, in ms. */
  readonly afterCommit: readonly number[];
  /** The same from its sending. */
  readonly afterSending: readonly number[];
}

/** One of the connections: conversations of its own, one message in each per commit. */
class Writer {
  readonly conversations: readonly string[];
  readonly #client: Client;
  readonly #sender = randomUUID();
  #number = 0;

  private constructor(client: Client, conversations: readonly string[]) {
    this.#client = client;
    this.conversations = conversations;
  }

  static async open(client: Client): Promise<Writer> {
    await client.connect();
    const { rows } = await client.query<{ id: string }>(
      `insert into conversations (kind) select 'group' from generate_series(1, 50) returning id`,
    );
    return new Writer(
      client,
      rows.map(({ id }) => id),
    );
  }

  /** Resolves with the key of the first message. */
  async write(size: number): Promise<string> {
    this.#number += 1;
    const chosen = this.conversations.slice(0, size);
    const numbers = chosen.map(() => this.#number);
    await this.#client.query({ name: 'insert', text: insert, values: [chosen, numbers, this.#sender, body] });
    return `${chosen[0]} ${this.#number}`;
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

async function run(all: readonly Writer[], worker: TestWorker, size: number): Promise<Part> {
  const arrivals = new Map<string, number>();
  worker.handle = ({ rows }) => {
    const first = rows.find(({ table }) => table === 'messages')?.values;
    arrivals.set(`${first?.['conversation_id']} ${first?.['number']}`, performance.now());
  };
  const commits: { key: string; beganMs: number; endedMs: number }[] = [];
  const everyMs = (1_000 * size * all.length) / rate;
  const endMs = performance.now() + seconds * 1_000;
  const drive = async (writer: Writer, index: number): Promise<void> => {
    for (let dueMs = performance.now() + (everyMs * index) / all.length; dueMs < endMs; dueMs += everyMs) {
      await sleep(Math.max(0, dueMs - performance.now()));
      const beganMs = performance.now();
      const key = await writer.write(size);
      commits.push({ key, beganMs, endedMs: performance.now() });
    }
  };
  await Promise.all(all.map(drive));
  await waitFor('all commits', () => arrivals.size >= commits.length);
  const since = (begin: 'beganMs' | 'endedMs'): number[] =>
    commits.map((one) => (arrivals.get(one.key) ?? Number.NaN) - one[begin]);
  return { messages: commits.length * size, afterCommit: since('endedMs'), afterSending: since('beganMs') };
}

const server = await BenchServer.start({ REALTIME: 'on', WORKERS: '1' });
const { write } = server.endpoints;
const connect = (): Client =>
  new Client({ host: write.host, port: write.port, database: write.database, user: roles.superuser });
const all = await Promise.all(Array.from({ length: writers }, async () => Writer.open(connect())));
const parts = await feedProcesses(server);
const workers = [0, 1].map(() => new TestWorker(join(write.host, 'feed.sock')));
const [worker] = workers;
if (worker === undefined) throw new Error('there are two');
for (const { link } of workers)
  await Promise.all(
    all.flatMap(({ conversations }) => conversations.map(async (id) => link.follow(`conversation_id:${id}`))),
  );
try {
  process.stdout.write(
    'commits of  messages/s  feed µs  sender µs  snapshots µs  after commit p50/p99  after sending p50/p99\n',
  );
  await run(all, worker, 10); // Warms up.
  for (const size of [1, 10, 50]) {
    const before = Object.values(parts).map(cpuUsOf);
    const { messages, afterCommit, afterSending } = await run(all, worker, size);
    const costs = Object.values(parts).map((pids, n) => ((cpuUsOf(pids) - (before[n] ?? 0)) / messages).toFixed(1));
    const times = [afterCommit, afterSending].map((one) =>
      [0.5, 0.99].map((part) => `${quantile(one, part).toFixed(1)} ms`).join(' / '),
    );
    const cells = [String(size), String(Math.round(messages / seconds)), ...costs, ...times];
    process.stdout.write(`${cells.map((cell) => cell.padStart(11)).join('  ')}\n`);
  }
} finally {
  await Promise.all(workers.map(async ({ link }) => link.close()));
  await Promise.all(all.map(async (one) => one.close()));
  await server.stop();
}
