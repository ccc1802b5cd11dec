import { connect, Socket } from 'node:net';

import type { PoolClient, QueryResult, QueryResultRow } from 'pg';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Requester } from './caller.ts';
import type { Endpoint } from './endpoint.ts';
import type { DbObserver } from './observer.ts';
import type { Role } from './pool.ts';
import { toAppError } from './errors.ts';

/** How long a cancelled statement may take to end before its connection is closed. */
const cancelGraceMs = 1_000;
/** The same for a statement with a deadline, which is cancelled this much earlier: a fraction of its time, and a maximum. */
const deadlineGrace = { part: 1 / 10, maxMs: 500 };
const cancelRequestCode = 80_877_102;

export interface RunLimits {
  /** From now. By then the statement has been cancelled, or its connection closed; it rejects with `statement_timeout`. */
  readonly timeoutMs: number;
  /** When it aborts, the statement is cancelled on the server, and rejects with the signal's reason. */
  readonly interrupt?: Lifetime | undefined;
  /** For the observer. */
  readonly requester?: Requester | undefined;
}

interface RunStatement {
  readonly name: string;
  readonly text: string;
  readonly calls?: number;
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** Whether statements are prepared by name. */
  readonly prepare: boolean;
  readonly role: Role;
  readonly clock: Clock;
  readonly observer?: DbObserver | undefined;
}

/**
 * One borrowed connection. Statements sent without waiting for each other take one round trip, and share the deadline and the interrupt of
 * the first.
 */
export class Connection {
  readonly client: PoolClient;
  readonly #options: ConnectionOptions;
  #tainted = false;
  #running = 0;
  #cut: NodeJS.Timeout | undefined;
  /** Deadline of the running statement; then it is cancelled. */
  #cancelAtMs = 0;
  #graceMs = 0;
  #isLate = false;
  #interrupt: Lifetime | undefined;
  /** Not cleared when a statement ends in time: a timer per statement costs as much as sending it. */
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;

  constructor(client: PoolClient, options: ConnectionOptions) {
    this.client = client;
    this.#options = options;
  }

  /** A cancel request was sent. It may arrive late and hit the next statement, so there must be none. */
  get tainted(): boolean {
    return this.#tainted || unconfirmed.has(this.client);
  }

  /** Runs one statement; rejects with `AppError`, or PostgreSQL's error when the statement is wrong. */
  async run<Row extends QueryResultRow>(
    wanted: RunStatement,
    values: readonly unknown[],
    limits: RunLimits,
  ): Promise<QueryResult<Row>> {
    limits.interrupt?.throwIfAborted();
    if (this.#running === 0) this.#begin(limits);
    this.#running += 1;
    const { observer, clock } = this.#options;
    const beganMs = observer === undefined ? 0 : clock.now();
    let failed = true;
    try {
      const result = await this.#send<Row>(wanted, values);
      if (unconfirmed.has(this.client)) throw new AppError('outcome_unknown', { cause: new Error(notConfirmed) });
      failed = false;
      return result;
    } catch (error) {
      throw this.#reasonOf(error);
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#end();
      observer?.statementEnded({
        pool: this.#options.role,
        name: wanted.name,
        beganMs,
        durationMs: clock.now() - beganMs,
        deadlineMs: limits.timeoutMs,
        batchSize: wanted.calls ?? 1,
        requester: limits.requester,
        failed,
      });
    }
  }

  /** Statements sent within `send` share one packet. */
  together<T>(send: () => T): T {
    const socket = socketOf(this.client);
    socket?.cork();
    try {
      return send();
    } finally {
      socket?.uncork();
    }
  }

  /** The state of the session is unknown: it is closed, not reused. */
  taint(): void {
    this.#tainted = true;
  }

  /** The caller of the running statement has aborted. */
  handleEvent(): void {
    this.#cancel(cancelGraceMs);
  }

  /** With a callback, because `pg` creates two more promises without one. */
  async #send<Row extends QueryResultRow>({ name, text }: RunStatement, values: readonly unknown[]) {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult<Row>>();
    const query = this.#options.prepare ? { name, text, values: [...values] } : { text, values: [...values] };
    this.client.query<Row>(query, (error: Error | null, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
    return await promise;
  }

  #begin({ timeoutMs, interrupt }: RunLimits): void {
    this.#isLate = false;
    this.#graceMs = Math.min(timeoutMs * deadlineGrace.part, deadlineGrace.maxMs);
    const nowMs = this.#options.clock.now();
    this.#cancelAtMs = nowMs + timeoutMs - this.#graceMs;
    if (this.#timer === undefined || this.#cancelAtMs < this.#timerAtMs) this.#watch(nowMs);
    this.#interrupt = interrupt;
    interrupt?.addEventListener('abort', this);
  }

  #end(): void {
    clearTimeout(this.#cut);
    this.#interrupt?.removeEventListener('abort', this);
    this.#interrupt = undefined;
  }

  #watch(nowMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = this.#cancelAtMs;
    this.#timer = setTimeout(() => this.#onTime(), this.#cancelAtMs - nowMs).unref();
  }

  #onTime(): void {
    this.#timer = undefined;
    if (this.#running === 0) return;
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#cancelAtMs - 1) return this.#watch(nowMs);
    this.#isLate = true;
    this.#cancel(this.#graceMs);
  }

  #reasonOf(error: unknown): unknown {
    if (error instanceof AppError) return error;
    if (this.#isLate) return new AppError('statement_timeout', { cause: error });
    return this.#interrupt?.aborted === true ? this.#interrupt.reason : toAppError(error);
  }

  /** Cancels on the server. If the server does not react (frozen, unreachable), the connection is closed after the grace time. */
  #cancel(graceMs: number): void {
    this.#tainted = true;
    if (this.#cut !== undefined) return;
    requestCancel(this.#options.endpoint, this.client, cancelGraceMs);
    this.#cut = setTimeout(() => cutConnection(this.client), graceMs);
  }
}

/** Drops a connection; its running statements reject. */
export function cutConnection(client: object): void {
  socketOf(client)?.destroy();
}

/** For the log. */
const notConfirmed = 'no standby confirmed the commit in time (DURABILITY=standby); the primary has it';

/** Sessions with a commit that was not confirmed by a standby. */
const unconfirmed = new WeakSet<object>();

/**
 * From now on, a commit that stops waiting for a standby counts as failed. PostgreSQL reports success with a warning when the wait is
 * cancelled; only the warning's routine is the same in every language.
 */
export function noticeUnconfirmedCommits(client: PoolClient): void {
  client.on('notice', ({ routine }) => {
    if (routine === 'SyncRepWaitForLSN') unconfirmed.add(client);
  });
}

/** `pg` has no public method to drop a connection with running statements, or to send several at once. */
export function socketOf(client: object): Socket | undefined {
  const connection: unknown = 'connection' in client ? client.connection : undefined;
  if (typeof connection !== 'object' || connection === null || !('stream' in connection)) return undefined;
  return connection.stream instanceof Socket ? connection.stream : undefined;
}

/**
 * Sends a cancel request for a session over a separate connection (PostgreSQL manual, "Canceling Requests in Progress"). There is no
 * answer: the statement ends with 57014, or has ended before. Servers accept this message without TLS even if sessions require it.
 */
function requestCancel({ host, port }: Endpoint, client: object, timeoutMs: number): void {
  const processId = 'processID' in client ? client.processID : undefined;
  const secretKey = 'secretKey' in client ? client.secretKey : undefined;
  if (typeof processId !== 'number' || typeof secretKey !== 'number') return;
  const message = Buffer.alloc(16);
  for (const [index, word] of [message.length, cancelRequestCode, processId, secretKey].entries()) {
    message.writeInt32BE(word, index * 4);
  }
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  const limit = setTimeout(() => socket.destroy(), timeoutMs);
  socket.on('close', () => clearTimeout(limit));
  socket.on('error', () => socket.destroy());
  socket.resume();
  socket.end(message);
}
