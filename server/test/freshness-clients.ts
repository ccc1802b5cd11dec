import { setTimeout as sleep } from 'node:timers/promises';

import type { Caller } from '../src/db/caller.ts';
import type { Position } from '../src/db/position.ts';
import type { Users } from '../src/users/users.ts';

/** Without batches every call occupies a connection: more clients would wait for one another, not for replay. */
const isBatched = process.env['DB_BATCHING'] !== 'off';
const clients = isBatched ? 256 : 32;
const readsPerWrite = 12;
/** With fewer pauses, the result would mean little. */
const leastPauses = 5;
const patient = new AbortController().signal;

export interface Counts {
  reads: number;
  stale: number;
  back: number;
  /** How often replay was stopped and resumed. */
  pauses: number;
}

export function noCounts(): Counts {
  return { reads: 0, stale: 0, back: 0, pauses: 0 };
}

/** The required reads, or a twentieth without batches: each of those reads costs as much as twenty. */
export function scaled(reads: number): number {
  return isBatched ? reads : reads / 20;
}

/** A client that counts upwards in its own name, and reads the names of others. */
class Client {
  readonly #users: Users;
  readonly #counts: Counts;
  readonly #seen = new Map<string, number>();
  #token: Position | undefined;

  constructor(users: Users, counts: Counts) {
    this.#users = users;
    this.#counts = counts;
  }

  async create(): Promise<string> {
    return await this.#carry(async (caller) => (await this.#users.create(nameOf(0), caller)).id);
  }

  async write(id: string, number: number): Promise<void> {
    await this.#carry(async (caller) => this.#users.rename(id, nameOf(number), caller));
    this.#seen.set(id, number);
  }

  async read(id: string, isOwn: boolean): Promise<void> {
    const user = await this.#carry(async (caller) => this.#users.get(id, caller));
    const [number, known] = [Number(user.last_name), this.#seen.get(id) ?? 0];
    this.#counts.reads += 1;
    if (number < known) this.#counts[isOwn ? 'stale' : 'back'] += 1;
    else this.#seen.set(id, number);
  }

  async #carry<T>(use: (caller: Caller) => Promise<T>): Promise<T> {
    const caller: Caller = { lifetime: patient, token: this.#token, seen: undefined };
    const result = await use(caller);
    this.#token = caller.seen ?? this.#token;
    return result;
  }
}

function nameOf(number: number): { first_name: string; last_name: string } {
  return { first_name: 'count', last_name: String(number) };
}

/** Pauses and resumes the replay of a standby for random times, until it is aborted. */
export async function disturbReplay(
  sql: (statement: string) => Promise<unknown>,
  longestMs: number,
  counts: Counts,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await sql('select pg_wal_replay_pause()');
    await sleep(Math.random() * longestMs);
    await sql('select pg_wal_replay_resume()');
    await sleep(Math.random() * longestMs * 2);
    counts.pauses += 1;
  }
}

/** Every client writes and reads independently, until there were enough reads and pauses. */
export async function runClients(users: Users, counts: Counts, wantedReads: number): Promise<void> {
  const all = Array.from({ length: clients }, () => new Client(users, counts));
  const ids = await Promise.all(all.map(async (client) => client.create()));
  const run = async (client: Client, index: number): Promise<void> => {
    for (let number = 1; counts.reads < wantedReads || counts.pauses < leastPauses; number += 1) {
      await client.write(ids[index] ?? '', number);
      for (let read = 0; read < readsPerWrite; read += 1) {
        const isOwn = read % 3 !== 2;
        await client.read(ids[isOwn ? index : (index + number + read) % clients] ?? '', isOwn);
      }
    }
  };
  await Promise.all(all.map(run));
}
