import type { Socket } from 'node:net';

import { latest, type Position } from '../db/position.ts';
import { type FeedRow, type FeedTable, keyOf } from './feed.ts';
import { Follower } from './follower.ts';
import type { LogSink } from './log-follower.ts';
import type { LoggedCommit } from './visible-commits.ts';
import { encodeCommit, encodeForWorker, sent, type FromWorker } from './wire.ts';

/** Totals since the start, and what is followed now. */
export interface HubCounts {
  readonly commits: number;
  readonly rows: number;
  readonly messages: number;
  /** Told to workers, by cause. */
  readonly gaps: Readonly<Record<GapCause, number>>;
  readonly workers: number;
  readonly keys: number;
}

/** `log`: the log was followed anew; `worker`: a worker read too slowly; `size`: a transaction was too large. */
export type GapCause = 'log' | 'worker' | 'size';

/** Hands each row to the workers that follow one of its keys. */
export class Hub implements LogSink {
  readonly #tables: ReadonlyMap<string, FeedTable>;
  readonly #followers = new Set<Follower>();
  readonly #byKey = new Map<string, Set<Follower>>();
  readonly #gaps = { log: 0, worker: 0, size: 0 };
  #commits = 0;
  #rows = 0;
  #messages = 0;
  /** The end of what was delivered; undefined while the log is not followed. */
  #since: Position | undefined;

  constructor(tables: readonly FeedTable[]) {
    this.#tables = new Map(tables.map((table) => [table.name, table]));
  }

  get counts(): HubCounts {
    return {
      commits: this.#commits,
      rows: this.#rows,
      messages: this.#messages,
      gaps: { ...this.#gaps },
      workers: this.#followers.size,
      keys: this.#byKey.size,
    };
  }

  add(socket: Socket): Follower {
    const follower = new Follower(
      socket,
      () => this.#since,
      () => (this.#gaps.worker += 1),
    );
    this.#followers.add(follower);
    return follower;
  }

  remove(follower: Follower): void {
    this.#followers.delete(follower);
    for (const key of follower.keys) this.#unfollow(follower, key);
  }

  hear(follower: Follower, message: FromWorker): void {
    switch (message[0]) {
      case 'follow': {
        for (const key of message[2]) this.#follow(follower, key);
        const since = this.#since === undefined ? null : sent(this.#since);
        follower.answer(encodeForWorker(['followed', message[1], since]));
        break;
      }
      case 'unfollow':
        for (const key of message[1]) {
          follower.keys.delete(key);
          this.#unfollow(follower, key);
        }
        break;
      case 'join':
        follower.hasJoined = true;
        if (this.#since !== undefined) follower.send(encodeForWorker(['gap', sent(this.#since)]));
        break;
    }
  }

  live(since: Position): void {
    this.#since = latest(this.#since, since);
    this.#tellGap('log', this.#since);
  }

  down(): void {
    this.#since = undefined;
    this.#tellAll(encodeForWorker(['down']));
  }

  commits(commits: readonly LoggedCommit[]): void {
    for (const commit of commits) {
      this.#since = commit.position;
      this.#commits += 1;
      this.#rows += commit.rows.length;
      if (commit.isTruncated) this.#tellGap('size', commit.position);
      else this.#handOut(commit);
    }
  }

  message(prefix: string, content: string): void {
    this.#messages += 1;
    const followers = this.#byKey.get(routeOf(content) ?? '');
    if (followers === undefined) return;
    const frame = encodeForWorker(['message', prefix, content]);
    for (const follower of followers) follower.send(frame);
  }

  /** Workers that get the same rows share one frame. */
  #handOut(commit: LoggedCommit): void {
    const wanted = new Map<Follower, number[]>();
    for (const [index, row] of commit.rows.entries()) {
      for (const follower of this.#followersOf(row)) {
        const indexes = wanted.get(follower);
        if (indexes === undefined) wanted.set(follower, [index]);
        else indexes.push(index);
      }
    }
    const frames = new Map<string, Buffer>();
    for (const [follower, indexes] of wanted) {
      const signature = indexes.join();
      let frame = frames.get(signature);
      if (frame === undefined) {
        const rows = indexes.flatMap((index) => commit.rows[index] ?? []);
        frames.set(signature, (frame = encodeCommit(commit, rows)));
      }
      follower.send(frame);
    }
  }

  #followersOf(row: FeedRow): Iterable<Follower> {
    const keys = this.#tables.get(row.table)?.keys ?? [];
    const sets = keys.flatMap((column) => {
      const value = row.values[column];
      const set = typeof value === 'string' ? this.#byKey.get(keyOf(column, value)) : undefined;
      return set === undefined ? [] : [set];
    });
    const [first = []] = sets;
    return sets.length < 2 ? first : new Set(sets.flatMap((set) => [...set]));
  }

  #tellGap(cause: GapCause, since: Position): void {
    this.#gaps[cause] += 1;
    this.#tellAll(encodeForWorker(['gap', sent(since)]));
  }

  #tellAll(frame: Buffer): void {
    for (const follower of this.#followers) follower.send(frame);
  }

  #follow(follower: Follower, key: string): void {
    follower.keys.add(key);
    const followers = this.#byKey.get(key);
    if (followers === undefined) this.#byKey.set(key, new Set([follower]));
    else followers.add(follower);
  }

  #unfollow(follower: Follower, key: string): void {
    const followers = this.#byKey.get(key);
    followers?.delete(follower);
    if (followers?.size === 0) this.#byKey.delete(key);
  }
}

/** The `key` of an ephemeral message; undefined for content of other programs. */
function routeOf(content: string): string | undefined {
  try {
    const value: unknown = JSON.parse(content);
    const hasKey = typeof value === 'object' && value !== null && 'key' in value;
    return hasKey && typeof value.key === 'string' ? value.key : undefined;
  } catch {
    return undefined;
  }
}
