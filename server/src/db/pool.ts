import { Pool as PgPool, type PoolClient, type QueryResultRow } from 'pg';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Asker } from './caller.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { describeFailure, withOutcome } from './errors.ts';
import type { DbObserver } from './observer.ts';
import { clientConfig } from './session.ts';
import { statement, type Queryable, type Statement } from './statement.ts';
import { queryableOn, runTransaction, sendTransaction } from './transaction.ts';

/** `write` pools reach the primary; `read` pools a standby, or the primary where there is none. */
export type Role = 'read' | 'write';

export interface PoolOptions<R extends Role = Role> {
  readonly role: R;
  readonly endpoint: Endpoint;
  readonly applicationName: string;
  /** Most connections at once, and how many of them stay when there is nothing to do. */
  readonly maxOpen: number;
  readonly maxIdle: number;
  /** Most calls that wait for a connection; one more is refused with `pool_exhausted`. */
  readonly maxWaiting: number;
  /** A connection is replaced after this long, less up to a tenth at random, so that not all go at once. */
  readonly lifetimeMs: number;
  readonly idleTimeMs: number;
  readonly connectTimeoutMs: number;
  /** For a call as a whole: waiting for a connection counts. */
  readonly statementTimeoutMs: number;
  /** Whether PostgreSQL keeps parsed statements by their names; not behind a pooler that does not. */
  readonly prepare: boolean;
  /** Whether each statement gets a transaction of its own, begun and committed; only to measure what that costs. */
  readonly wrap: boolean;
}

export interface PoolServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly observer?: DbObserver | undefined;
}

export interface QueryThenOptions<After extends QueryResultRow> {
  readonly behind?: Statement<After, []> | undefined;
  readonly isTransaction?: boolean;
  /** Whether it writes nothing; all that a `read` pool sends is like that. */
  readonly isRead?: boolean;
  /** Instead of `statementTimeoutMs`; waiting for a connection counts here, too. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly asker?: Asker | undefined;
}

const ping = statement<{ ok: number }>('pool.ping', 'select 1 as ok');

/**
 * Connections to one server, with the semantics of Go's `database/sql` that the guide tunes: max open, max idle,
 * lifetime, idle time. `pg-pool` keeps the connections; what it lacks is here: a bounded wait that can be left, a
 * deadline that counts the wait, and cancelling on the server.
 *
 * Calls reject with `AppError`: `pool_exhausted`, `database_unavailable`, `statement_timeout`, after which nothing is
 * written; `outcome_unknown` when what writes was sent, and nobody answered; with the signal's reason when the caller went
 * away first; and with PostgreSQL's own error when the statement itself is wrong.
 */
export class Pool<R extends Role = Role> implements Queryable {
  readonly role: R;
  readonly #options: PoolOptions<R>;
  readonly #services: PoolServices;
  readonly #connectionOptions: ConnectionOptions;
  readonly #pool: PgPool;
  readonly #gate: Gate;
  readonly #expiresAt = new WeakMap<PoolClient, number>();

  constructor(options: PoolOptions<R>, services: PoolServices) {
    this.role = options.role;
    this.#options = options;
    this.#services = services;
    this.#connectionOptions = { ...options, ...services };
    this.#gate = new Gate(options.maxOpen, options.maxWaiting);
    this.#pool = new PgPool({
      ...clientConfig(options.endpoint, options),
      max: options.maxOpen,
      pipeline: true,
      idleTimeoutMillis: options.idleTimeMs,
    });
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined); // The statement that was running reports it; without a listener it is fatal.
      this.#expiresAt.set(client, services.clock.now() + options.lifetimeMs * (1 - services.random() / 10));
    });
    this.#pool.on('error', (error) => {
      services.log.warn({ role: this.role, reason: describeFailure(error) }, 'an idle database connection was lost');
    });
  }

  get connections(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#gate.waiting };
  }

  /**
   * Runs one statement, without an explicit transaction. When the signal aborts, a call that still waits leaves;
   * a read that runs is cancelled on the server; a write that runs is finished, and answers its caller all the same. What a
   * `write` pool is sent counts as a write unless `queryThen` is told otherwise.
   */
  async query<Row extends QueryResultRow, Values extends readonly unknown[]>(
    wanted: Statement<Row, Values>,
    values: Values,
    signal?: AbortSignal,
  ): Promise<Row[]> {
    return (await this.queryThen(async (db) => db.query(wanted, values), { signal })).result;
  }

  /**
   * Runs what `send` sends before it waits for anything, and `behind` when that has committed: all in one round
   * trip. One statement, or several that are one transaction. `after` is undefined when only `behind` failed, or was not
   * asked for: what was before is done.
   */
  async queryThen<T, After extends QueryResultRow>(
    send: (db: Queryable) => Promise<T>,
    options: QueryThenOptions<After>,
  ): Promise<{ readonly result: T; readonly after: After[] | undefined }> {
    const { behind, isTransaction = false, isRead = this.role === 'read', signal, asker } = options;
    const interrupt = isRead ? signal : undefined;
    return await this.#lend(options, async (connection, deadline) => {
      const limits = { timeoutMs: this.#left(deadline), interrupt, asker };
      const runBehind = async (): Promise<After[] | undefined> =>
        behind && (await settled(connection.run<After>(behind, [], limits)))?.rows;
      if (this.#options.wrap) {
        const result = await knownOutcome(runTransaction(connection, limits, send), isRead);
        return { result, after: await runBehind() };
      }
      const [running, following] = connection.together(() => [
        isTransaction ? sendTransaction(connection, limits, send) : send(queryableOn(connection, limits)),
        runBehind(),
      ]);
      // Also when the first has failed: the connection is lent until both are answered.
      const [outcome] = await Promise.allSettled([knownOutcome(running, isRead), following]);
      if (outcome.status === 'rejected') throw outcome.reason;
      return { result: outcome.value, after: await following };
    });
  }

  /** Runs several statements as one: all of them, or none. Each has the deadline of a statement. */
  async transaction<T>(this: Pool<'write'>, run: (tx: Queryable) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const timeoutMs = this.#options.statementTimeoutMs;
    return await this.#lend({ signal }, async (connection) =>
      knownOutcome(runTransaction(connection, { timeoutMs }, run, signal), false),
    );
  }

  /** Whether the server answers; rejects like `query`. */
  async ping(signal: AbortSignal): Promise<void> {
    await this.query(ping, [], signal);
  }

  /** Closes every connection; those at work finish first. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #lend<T>(
    { signal, timeoutMs = this.#options.statementTimeoutMs }: Pick<QueryThenOptions<never>, 'signal' | 'timeoutMs'>,
    use: (connection: Connection, deadline: number) => Promise<T>,
  ): Promise<T> {
    const deadline = this.#services.clock.now() + timeoutMs;
    await this.#enter(deadline, signal);
    const connecting = this.#connect();
    let client: PoolClient;
    try {
      client = await withDeadline(connecting, this.#left(deadline), signal);
    } catch (error) {
      this.#abandon(connecting);
      // Whatever keeps us from connecting (nobody there, a wrong password, a certificate): no request is to blame.
      throw signal?.aborted === true ? signal.reason : new AppError('database_unavailable', { cause: error });
    }
    const connection = new Connection(client, this.#connectionOptions);
    try {
      return await use(connection, deadline);
    } finally {
      this.#giveBack(client, connection.spoilt);
    }
  }

  async #enter(deadline: number, signal: AbortSignal | undefined): Promise<void> {
    const { observer, clock } = this.#services;
    const waitsSince = observer !== undefined && this.#gate.isFull ? clock.now() : undefined;
    try {
      await this.#gate.enter(this.#left(deadline), signal);
    } catch (error) {
      throw error instanceof GateRefusal ? new AppError('pool_exhausted', { cause: error }) : error;
    } finally {
      if (waitsSince !== undefined) observer?.waitEnded({ pool: this.role, ms: clock.now() - waitsSince });
    }
  }

  async #connect(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    if (!this.#expired(client)) return client;
    client.release(true);
    return await this.#connect();
  }

  /** Nobody waits for this connection any more; it is kept for the next caller. */
  #abandon(connecting: Promise<PoolClient>): void {
    void connecting.then(
      (client) => this.#giveBack(client, false),
      () => this.#gate.leave(),
    );
  }

  #giveBack(client: PoolClient, spoilt: boolean): void {
    const surplus = this.#gate.waiting === 0 && this.#pool.idleCount >= this.#options.maxIdle;
    client.release(spoilt || surplus || this.#expired(client));
    this.#gate.leave();
  }

  #expired(client: PoolClient): boolean {
    return this.#services.clock.now() >= (this.#expiresAt.get(client) ?? 0);
  }

  #left(deadline: number): number {
    return Math.max(0, deadline - this.#services.clock.now());
  }
}

/** Tells apart what has not happened and what may have happened, for what writes. */
async function knownOutcome<T>(sent: Promise<T>, isRead: boolean): Promise<T> {
  try {
    return await sent;
  } catch (error) {
    throw isRead ? error : withOutcome(error);
  }
}

/** A failure as nothing, for what may fail. */
async function settled<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch {
    return undefined;
  }
}
