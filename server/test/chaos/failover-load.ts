import { setTimeout as sleep } from 'node:timers/promises';

import { calls, isOk, type Client, type Outcome } from './client.ts';
import type { Random } from './random.ts';

/** One request, by `performance.now()`. */
interface Call {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number;
}

export interface Created {
  readonly id: string;
  readonly acknowledgedAt: number;
}

/** A wrong result of reading one's own user. */
interface Stale {
  readonly id: string;
  readonly at: number;
  readonly what: string;
}

export interface LoadOptions {
  readonly newClient: () => Client;
  readonly random: Random;
  readonly writers: number;
  readonly readers: number;
}

const pauseMs = 15;

/**
 * Writers create users and read them back at once, with and without their token, over connections to any worker.
 * Readers read users that always exist, with and without an old token.
 */
export class FailoverLoad {
  readonly writes: Call[] = [];
  readonly reads: Call[] = [];
  readonly created: Created[] = [];
  readonly stale: Stale[] = [];
  readonly #options: LoadOptions;
  readonly #over = new AbortController();
  #living: Promise<unknown> = Promise.resolve();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Resolves when the users for readers exist. */
  async start(): Promise<void> {
    const { newClient, readers, writers } = this.#options;
    const client = newClient();
    const seeds = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const seeding = newClient();
        const outcome = await seeding.call(calls.create('seed', 'v1'));
        seeding.close();
        return { id: idOf(outcome), token: outcome.token };
      }),
    );
    client.close();
    this.#living = Promise.all([
      ...Array.from({ length: readers }, async () => this.#repeat(async (one) => this.#readSeed(one, seeds))),
      ...Array.from({ length: writers }, async () => this.#repeat(async (one) => this.#writeAndRead(one))),
    ]);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#living;
  }

  async #repeat(work: (client: Client) => Promise<void>): Promise<void> {
    const client = this.#options.newClient();
    while (!this.#over.signal.aborted) {
      await work(client);
      await sleep(pauseMs);
    }
    client.close();
  }

  async #readSeed(client: Client, seeds: readonly { id: string; token: string | undefined }[]): Promise<void> {
    const { id, token } = this.#options.random.pick(seeds);
    const outcome = await client.call(calls.get(id, this.#options.random.chance(0.5) ? token : undefined));
    this.reads.push(timesOf(outcome));
  }

  async #writeAndRead(client: Client): Promise<void> {
    const written = await client.call(calls.create('own', 'v1'));
    this.writes.push(timesOf(written));
    if (!isOk(written)) return;
    const id = idOf(written);
    this.created.push({ id, acknowledgedAt: written.startedAt + written.ms });
    for (const token of [written.token, undefined]) {
      const read = await client.call(calls.get(id, token));
      if (read.status !== 404) continue;
      const how = token === undefined ? 'without a token' : 'with the token of the write';
      this.stale.push({ id, at: read.startedAt, what: `${how}, worker ${written.worker} then ${read.worker}` });
    }
  }
}

function timesOf({ startedAt, ms, status }: Outcome): Call {
  return { startedAt, endedAt: startedAt + ms, status };
}

function idOf({ body }: Outcome): string {
  return /"id":"([^"]+)"/u.exec(body)?.[1] ?? '';
}
