import { setTimeout as sleep } from 'node:timers/promises';

import { calls, isOk, type Client, type Outcome } from './client.ts';
import type { Finding, Run } from './part.ts';
import { pauseReplay } from './pause-replay.ts';
import type { Random } from './random.ts';
import { System } from './system.ts';
import { TwoStandbys } from './two-standbys.ts';

export interface FreshnessOptions {
  readonly reads: number;
  /**
   * For tests: ends after this time, if there were at least this many reads. Without it, it runs until all reads are
   * done.
   */
  readonly limit?: { readonly seconds: number; readonly leastReads: number };
  readonly clients: number;
  /** Whether PostgreSQL counts where reads were answered; takes a restart at the start. */
  readonly countsShare: boolean;
  /** Two standbys are paused independently, and both serve clients. Their share is not counted. */
  readonly standbys: 1 | 2;
}

/** Rows with one writer that all read: after one version was seen, no older one may appear. */
const sharedRows = 64;

/** The knowledge of one client. Versions count from 1; 0 means unknown. */
interface Reader {
  readonly number: number;
  readonly client: Client;
  token: string | undefined;
  /** Its own rows by id, which only it writes. */
  readonly own: Map<string, { version: number; readonly createdAt: string }>;
  /** Own deleted rows, the latest last. */
  readonly gone: string[];
  readonly seen: Uint32Array;
}

interface User {
  readonly id: string;
  readonly last_name: string;
  readonly created_at: string;
}

interface Counts {
  reads: number;
  writes: number;
  /** Early refusals, because the machine was overloaded. */
  refused: number;
  pauses: number;
  longestMs: number;
}

/**
 * Clients write and read back through the standby, whose replay is paused and resumed at random, over connections to
 * different workers. With its token a client sees its own last write exactly, and never an older version than before of
 * any row, also with another client's token; without one, at least its own row exists.
 */
export async function proveFreshness(options: FreshnessOptions, run: Run): Promise<Finding> {
  const system = await System.create();
  let both: TwoStandbys | undefined;
  try {
    if (options.countsShare) await system.countStatements();
    if (options.standbys === 2) both = await TwoStandbys.add(system);
    return await new Freshness(system, both, options, run).prove();
  } finally {
    await both?.destroy();
    await system.destroy();
  }
}

class Freshness {
  readonly #system: System;
  readonly #both: TwoStandbys | undefined;
  readonly #options: FreshnessOptions;
  readonly #run: Run;
  readonly #random: Random;
  readonly #readers: Reader[] = [];
  readonly #shared: { readonly id: string; version: number }[] = [];
  readonly #violations: string[] = [];
  readonly #counts: Counts = { reads: 0, writes: 0, refused: 0, pauses: 0, longestMs: 0 };
  #startedAt = 0;

  constructor(system: System, both: TwoStandbys | undefined, options: FreshnessOptions, run: Run) {
    this.#system = system;
    this.#both = both;
    this.#options = options;
    this.#run = run;
    this.#random = run.random;
  }

  async prove(): Promise<Finding> {
    await this.#prepare();
    this.#startedAt = performance.now();
    const over = new AbortController();
    const living = Promise.all(this.#readers.map(async (reader) => this.#live(reader))).finally(() => over.abort());
    const [both, signal] = [this.#both, over.signal];
    const pausing = [pauseReplay(async (text) => this.#system.sql('read', text), this.#random, signal)];
    if (both !== undefined) pausing.push(pauseReplay(async (text) => both.sql(text), this.#random, signal));
    await Promise.all([living, this.#tell(signal)]);
    for (const pauses of await Promise.all(pausing)) this.#counts.pauses += pauses;
    const figures = await this.#figures((performance.now() - this.#startedAt) / 1000);
    for (const { client } of this.#readers) client.close();
    return { figures, violations: this.#violations };
  }

  async #prepare(): Promise<void> {
    for (let number = 0; number < this.#options.clients; number += 1) {
      const client = this.#system.client(3, this.#random, this.#both?.url);
      const seen = new Uint32Array(sharedRows);
      this.#readers.push({ number, client, token: undefined, own: new Map(), gone: [], seen });
    }
    const [first] = this.#readers;
    if (first === undefined) throw new Error('there are no clients');
    for (let row = 0; row < sharedRows; row += 1) {
      const { body } = await first.client.call(calls.create('shared', 'v1'));
      this.#shared.push({ id: parseUser(body).id, version: 1 });
    }
    await this.#system.replicated();
  }

  async #live(reader: Reader): Promise<void> {
    while (!this.#isEnough() && !this.#run.signal.aborted && this.#violations.length < 20) {
      await this.#write(reader);
      const reads = this.#random.between(4, 16);
      for (let read = 0; read < reads; read += 1) await this.#read(reader);
    }
  }

  #isEnough(): boolean {
    const { reads, limit } = this.#options;
    if (this.#counts.reads >= reads) return true;
    if (limit === undefined || this.#counts.reads < limit.leastReads) return false;
    return performance.now() - this.#startedAt > limit.seconds * 1_000;
  }

  async #write(reader: Reader): Promise<void> {
    this.#counts.writes += 1;
    if (this.#random.chance(0.3)) return this.#renameShared(reader);
    const [oldest] = reader.own.keys();
    if (oldest === undefined || reader.own.size < 4) return this.#create(reader);
    return this.#random.chance(0.4) ? this.#remove(reader, oldest) : this.#rename(reader);
  }

  async #create(reader: Reader): Promise<void> {
    const outcome = await this.#call(reader, calls.create(`own${reader.number}`, 'v1'));
    if (outcome === undefined) return;
    const { id, created_at: createdAt } = parseUser(outcome.body);
    reader.own.set(id, { version: 1, createdAt });
  }

  async #rename(reader: Reader): Promise<void> {
    const [id, row] = this.#random.pick([...reader.own]);
    const version = row.version + 1;
    const outcome = await this.#call(reader, calls.rename(id, `own${reader.number}`, `v${version}`));
    if (outcome !== undefined) row.version = version;
  }

  async #remove(reader: Reader, id: string): Promise<void> {
    if ((await this.#call(reader, calls.remove(id))) === undefined) return;
    reader.own.delete(id);
    reader.gone.push(id);
    if (reader.gone.length > 4) reader.gone.shift();
  }

  /** Each shared row has one writer, so its versions are in order. */
  async #renameShared(reader: Reader): Promise<void> {
    const { number, seen } = reader;
    if (number >= sharedRows) return;
    const row = this.#shared[number];
    if (row === undefined) return;
    const version = row.version + 1;
    row.version = version;
    if ((await this.#call(reader, calls.rename(row.id, 'shared', `v${version}`))) !== undefined) seen[number] = version;
  }

  async #read(reader: Reader): Promise<void> {
    const dice = this.#random.next();
    if (dice < 0.04) return this.#readList(reader);
    if (dice < 0.1) return this.#readGone(reader);
    if (dice < 0.15) return this.#readWithoutToken(reader);
    if (dice < 0.25) return this.#readWithFriendsToken(reader);
    return dice < 0.6 ? this.#readShared(reader) : this.#readOwn(reader);
  }

  async #readOwn(reader: Reader): Promise<void> {
    if (reader.own.size === 0) return;
    const [id, { version }] = this.#random.pick([...reader.own]);
    const outcome = await this.#call(reader, calls.get(id, reader.token), [404]);
    if (outcome === undefined) return;
    const found = versionIn(outcome);
    if (found !== version) this.#violate(reader, outcome, `own row in version ${version}, got ${found ?? 'nothing'}`);
  }

  async #readGone(reader: Reader): Promise<void> {
    const id = reader.gone.at(-1);
    if (id === undefined) return;
    const outcome = await this.#call(reader, calls.get(id, reader.token), [404]);
    if (outcome?.status === 200) this.#violate(reader, outcome, 'own row that is deleted, and got it');
  }

  async #readWithoutToken(reader: Reader): Promise<void> {
    if (reader.own.size === 0) return;
    const [id] = this.#random.pick([...reader.own]);
    const outcome = await this.#call(reader, calls.get(id), [404]);
    if (outcome?.status === 404) this.#violate(reader, outcome, 'own row without a token, and got none');
  }

  async #readShared(reader: Reader): Promise<void> {
    const index = this.#random.between(0, sharedRows - 1);
    const known = reader.seen[index] ?? 0;
    const outcome = await this.#call(reader, calls.get(this.#shared[index]?.id ?? '', reader.token));
    if (outcome === undefined) return;
    const found = versionIn(outcome) ?? 0;
    if (found < known) this.#violate(reader, outcome, `shared row ${index} after version ${known}, got ${found}`);
    reader.seen[index] = Math.max(known, found);
  }

  /** Another client shares a row and its token. */
  async #readWithFriendsToken(reader: Reader): Promise<void> {
    const friend = this.#random.pick(this.#readers);
    const index = this.#random.between(0, sharedRows - 1);
    const known = friend.seen[index] ?? 0;
    const outcome = await this.#ask(reader, calls.get(this.#shared[index]?.id ?? '', friend.token));
    if (outcome === undefined) return;
    const found = versionIn(outcome) ?? 0;
    if (found < known) this.#violate(reader, outcome, `shared row ${index}, ${known} of a friend, got ${found}`);
  }

  /** Own rows newer than the page's last are on it; deleted ones never. */
  async #readList(reader: Reader): Promise<void> {
    const outcome = await this.#call(reader, calls.list(20, reader.token));
    if (outcome === undefined) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The checks below find a wrong list.
    const page = JSON.parse(outcome.body) as User[];
    const ids = new Set(page.map(({ id }) => id));
    const end = page.at(-1)?.created_at ?? '';
    for (const id of reader.gone) if (ids.has(id)) this.#violate(reader, outcome, 'list, and got a deleted row');
    for (const [id, { createdAt }] of reader.own)
      if (createdAt > end && !ids.has(id)) this.#violate(reader, outcome, 'list, and missed its own row');
  }

  async #call(
    reader: Reader,
    request: Outcome['request'],
    accepted: readonly number[] = [],
  ): Promise<Outcome | undefined> {
    const outcome = await this.#ask(reader, request, accepted);
    if (outcome?.token !== undefined) reader.token = outcome.token;
    return outcome;
  }

  /** Undefined when it was refused for load, which is allowed, or failed, which is a violation. */
  async #ask(
    reader: Reader,
    request: Outcome['request'],
    accepted: readonly number[] = [],
  ): Promise<Outcome | undefined> {
    const outcome = await reader.client.call(request);
    this.#counts.longestMs = Math.max(this.#counts.longestMs, outcome.ms);
    if (isOk(outcome) || accepted.includes(outcome.status)) {
      if (request.method === 'GET') this.#counts.reads += 1;
      return outcome;
    }
    if (outcome.body.includes('"overloaded"')) await this.#standBack();
    else this.#violations.push(`${request.method} failed: ${outcome.failure ?? outcome.status} ${outcome.body}`);
    return undefined;
  }

  async #standBack(): Promise<void> {
    this.#counts.refused += 1;
    await sleep(this.#random.between(50, 500));
  }

  #violate({ number }: Reader, { worker, startedAt }: Outcome, what: string): void {
    this.#violations.push(`client ${number} at ${Math.round(startedAt)} ms, on worker ${worker}: read its ${what}`);
  }

  async #tell(over: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(30_000, undefined, { signal: over }).catch(() => undefined);
      if (over.aborted) return;
      this.#run.say(`freshness: ${this.#counts.reads} reads, ${this.#violations.length} violations`);
    }
  }

  async #figures(seconds: number): Promise<string> {
    const { reads, refused, writes, pauses, longestMs } = this.#counts;
    const share = this.#options.countsShare ? `${await this.#standbyShare()} % of reads by id by the standby, ` : '';
    return (
      `${reads} reads, ${writes} writes, ${pauses} pauses of replay, ${share}` +
      `${Math.round(reads / seconds)} reads/s, longest ${Math.round(longestMs)} ms, ` +
      `${refused} refused for load, ${this.#violations.length} stale, older than before, or failed`
    );
  }

  /** Rows found by reads by id, on each server; rows requested several times in one batch count once. */
  async #standbyShare(): Promise<number> {
    const asked = `select coalesce(sum(rows), 0)::int as found from pg_stat_statements
      where query like 'select id, first_name, last_name, created_at, updated_at from users where id = %'`;
    const [[primary], [standby]] = await Promise.all([
      this.#system.sql<{ found: number }>('write', asked),
      this.#system.sql<{ found: number }>('read', asked),
    ]);
    const [onPrimary, onStandby] = [primary?.found ?? 0, standby?.found ?? 0];
    return Math.round((100 * onStandby) / Math.max(1, onPrimary + onStandby));
  }
}

function parseUser(body: string): User {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only for 2xx answers; wrong ones fail below.
  return JSON.parse(body) as User;
}

function versionIn({ status, body }: Outcome): number | undefined {
  return status === 200 ? Number(parseUser(body).last_name.slice(1)) : undefined;
}
