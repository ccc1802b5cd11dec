import { setTimeout as sleep } from 'node:timers/promises';

import { placeOf, type Endpoint } from '../db/endpoint.ts';
import { describeFailure } from '../db/errors.ts';
import type { Position } from '../db/position.ts';
import { backOffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import type { FeedRow } from './feed.ts';
import { LogConnection } from './log-connection.ts';
import type { Decoded } from './pgoutput.ts';
import type { Snapshot } from './snapshot.ts';
import { VisibleCommits, type LoggedCommit } from './visible-commits.ts';

/** Receives what the log contains. */
export interface LogSink {
  /** Commits after this position follow. Those before it may have been missed. */
  live(since: Position): void;
  /** Nothing follows until the next `live`. */
  down(): void;
  commits(commits: readonly LoggedCommit[]): void;
  message(prefix: string, content: string): void;
}

export interface LogFollowerOptions {
  readonly sink: LogSink;
  /** The primary now; rejects while none is known. */
  readonly findPrimary: () => Promise<Endpoint>;
  readonly connectTimeoutMs: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface LogState {
  readonly isLive: boolean;
  readonly lagBytes: number;
  /** Of the last commit: from its time to its delivery. */
  readonly lagMs: number;
}

const retry = { baseMs: 50, maxMs: 5_000 };
/** After this long without a failure, the next one is retried soon. */
const forgiveMs = 10_000;
/** Rows of a transaction beyond this are not handed on: whoever follows reads them. */
const maxCommitBytes = 16 * 1_048_576;
/** While so much waits to become visible, nothing more is read from the log. */
const maxWaitingBytes = 32 * 1_048_576;
/** How long the start waits for transactions that may have committed before it, but are not visible yet. */
const settleMs = { every: 5, most: 200, everyLater: 100 };

/** Follows the log of whichever server is the primary, over one connection at a time, until it is stopped. */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #failures: RepeatLog;
  readonly #stopping = new AbortController();
  #connection: LogConnection | undefined;
  #place: string | undefined;
  #running: Promise<void> | undefined;
  #ended = Promise.withResolvers<unknown>();
  #isLive = false;
  #lagMs = 0;
  /** Of the transaction that is arriving. */
  #rows: FeedRow[] = [];
  #xid: number | undefined;
  #bytes = 0;
  #isTruncated = false;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    this.#failures = new RepeatLog(options.log);
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  get state(): LogState {
    return { isLive: this.#isLive, lagBytes: this.#connection?.lagBytes ?? 0, lagMs: this.#lagMs };
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#ended.resolve(undefined);
    await this.#running;
    this.#failures.close();
  }

  /** Connects anew if the primary is another server. */
  primaryIs(endpoint: Endpoint): void {
    if (this.#place === undefined || this.#place === placeOf(endpoint)) return;
    this.#ended.resolve(new Error('there is a new primary'));
  }

  async #run(): Promise<void> {
    const { clock, random, sink } = this.#options;
    let attempts = 0;
    for (;;) {
      const beganMs = clock.now();
      const reason = await this.#followOnce().catch((error: unknown) => error);
      if (this.#isLive) sink.down();
      this.#isLive = false;
      if (this.#isStopping) return;
      this.#report(reason);
      attempts = clock.now() - beganMs > forgiveMs ? 1 : attempts + 1;
      await sleep(backOffMs({ ...retry, random }, attempts), undefined, this.#stopping).catch(() => undefined);
    }
  }

  /** Resolves with the reason when the connection ends; rejects when there is none. */
  async #followOnce(): Promise<unknown> {
    const endpoint = await this.#options.findPrimary();
    this.#ended = Promise.withResolvers<unknown>();
    if (this.#isStopping) return undefined;
    const { connectTimeoutMs, sink, log } = this.#options;
    this.#place = placeOf(endpoint);
    this.#forgetTransaction();
    const end = this.#ended.resolve;
    const opening = new AbortController();
    void this.#ended.promise.then((reason) => opening.abort(reason ?? new Error('the feed stops')));
    const visible = new VisibleCommits({
      askSnapshot: async () => connection.askSnapshot(),
      deliver: (commits) => this.#deliver(commits, connection, visible),
      onFailed: end,
    });
    const connection: LogConnection = await LogConnection.open(
      {
        endpoint,
        connectTimeoutMs,
        onDecoded: (...message) => this.#take(...message, connection, visible),
        onIdle: () => {
          if (visible.isEmpty && this.#xid === undefined) connection.confirmAll();
        },
        onEnded: end,
      },
      opening.signal,
    );
    this.#connection = connection;
    try {
      const late = await settle(connection, this.#stopping.signal);
      this.#isLive = true;
      sink.live(connection.start);
      log.info({ primary: this.#place }, 'the feed follows the log');
      if (late !== undefined) void this.#awaitLate(connection, late);
      return await this.#ended.promise;
    } finally {
      this.#connection = undefined;
      this.#place = undefined;
      visible.close();
      await connection.close();
    }
  }

  #take(decoded: Decoded, bytes: number, sentAtMs: number, connection: LogConnection, visible: VisibleCommits): void {
    switch (decoded.type) {
      case 'begin':
        this.#forgetTransaction();
        this.#xid = decoded.xid;
        break;
      case 'rows':
        this.#bytes += bytes;
        if (this.#bytes > maxCommitBytes) this.#isTruncated = true;
        if (this.#isTruncated) this.#rows = [];
        else this.#rows.push(...decoded.rows);
        break;
      case 'truncate':
        this.#isTruncated = true;
        break;
      case 'commit':
        this.#commit(decoded, sentAtMs, connection, visible);
        break;
      case 'message':
        if (!decoded.isTransactional) this.#options.sink.message(decoded.prefix, decoded.content);
        break;
      case 'other':
        break;
    }
  }

  #commit(
    { endLsn, committedAtMs }: Extract<Decoded, { type: 'commit' }>,
    sentAtMs: number,
    connection: LogConnection,
    visible: VisibleCommits,
  ): void {
    const position = { timeline: connection.start.timeline, lsn: endLsn };
    const [xid, rows, bytes, isTruncated] = [this.#xid ?? 0, this.#rows, this.#bytes, this.#isTruncated];
    this.#forgetTransaction();
    const times = { committedAtMs, lateMs: sentAtMs - committedAtMs, arrivedAtMs: this.#options.clock.now() };
    visible.add({ xid, position, rows, bytes: isTruncated ? 0 : bytes, isTruncated, ...times });
    if (visible.bytes > maxWaitingBytes) connection.pause();
  }

  #deliver(commits: readonly LoggedCommit[], connection: LogConnection, visible: VisibleCommits): void {
    this.#options.sink.commits(commits);
    const last = commits.at(-1);
    if (last === undefined) return;
    connection.confirm(last.position.lsn);
    this.#lagMs = Math.max(0, last.lateMs + this.#options.clock.now() - last.arrivedAtMs);
    if (visible.bytes < maxWaitingBytes / 2) connection.resume();
  }

  #forgetTransaction(): void {
    this.#rows = [];
    this.#xid = undefined;
    this.#bytes = 0;
    this.#isTruncated = false;
  }

  /** A commit that was in the log before the start, and becomes visible only now, was neither delivered nor read. */
  async #awaitLate(connection: LogConnection, late: ReadonlySet<number>): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (this.#connection === connection && hasAny((await connection.askSnapshot()).running, late))
        await sleep(settleMs.everyLater, undefined, { signal });
    } catch {
      return; // The connection has ended.
    }
    if (this.#connection === connection) this.#options.sink.live(connection.start);
  }

  #report(reason: unknown): void {
    const text = 'the feed has no connection to the log: realtime events are delayed';
    this.#failures.add({ level: 'warn', key: 'down', one: text, many: text }, () => ({
      primary: this.#place,
      reason: describeFailure(reason),
    }));
  }
}

/**
 * Resolves when the transactions that are running now have ended. Those that commit after the start of the log are delivered; one
 * that committed before, but is not visible yet, would be missed by a read at this moment. Resolves with those that still run after a while.
 */
async function settle(connection: LogConnection, signal: AbortSignal): Promise<ReadonlySet<number> | undefined> {
  const first: Snapshot = await connection.askSnapshot();
  let { running } = first;
  for (let waitedMs = 0; hasAny(running, first.running); waitedMs += settleMs.every) {
    if (waitedMs >= settleMs.most) return first.running;
    await sleep(settleMs.every, undefined, { signal });
    ({ running } = await connection.askSnapshot());
  }
  return undefined;
}

function hasAny(numbers: ReadonlySet<number>, wanted: ReadonlySet<number>): boolean {
  return !numbers.isDisjointFrom(wanted);
}
