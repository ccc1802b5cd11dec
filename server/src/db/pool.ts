import type { QueryResult, QueryResultRow } from 'pg';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Requester } from './caller.ts';
import type { Connection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { isFailureOfServer, isReadOnlyRefusal, withOutcome } from './errors.ts';
import type { DbObserver } from './observer.ts';
import type { ServerStatus } from './position.ts';
import { ServerConnections } from './server-connections.ts';
import type { Queryable, Statement } from './statement.ts';
import { queryableOn, runTransaction, sendTransaction } from './transaction.ts';

/** `write` pools reach the primary; `read` pools a standby, or the primary where there is none. */
export type Role = 'read' | 'write';

export interface PoolOptions<R extends Role = Role> {
  readonly role: R;
  readonly endpoint: Endpoint;
  readonly applicationName: string;
  /** Maximum of open connections, and of idle ones. */
  readonly maxOpen: number;
  readonly maxIdle: number;
  /** Maximum of calls that wait for a connection; further ones are refused with `pool_exhausted`. */
  readonly maxWaiting: number;
  /** A connection is replaced after this long, less up to a tenth at random, so that they do not expire together. */
  readonly lifetimeMs: number;
  readonly idleTimeMs: number;
  readonly connectTimeoutMs: number;
  /** For a whole call, including the wait for a connection. */
  readonly statementTimeoutMs: number;
  /** Whether PostgreSQL keeps parsed statements by name; false behind a pooler without support. */
  readonly prepare: boolean;
  /** Whether each statement runs in its own explicit transaction; only to measure the cost. */
  readonly wrap: boolean;
}

export interface PoolServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly observer?: DbObserver | undefined;
}

/** What a pool learns about its server from the topology. */
export interface Guard {
  /** Why a new connection to a server with this status may not be used; undefined when it may. */
  readonly misfitOf: (status: ServerStatus) => string | undefined;
  /**
   * Called when a connection failed. Resolves when the servers have been queried again, and the pool was moved if
   * necessary.
   */
  readonly look: () => Promise<void>;
  /** Whether a write may be sent now, without `admitWrite`. */
  readonly takesWrites?: () => boolean;
  /** Resolves when a write may be sent; rejects when the server accepts none. */
  readonly admitWrite?: () => Promise<void>;
}

export interface QueryThenOptions<After extends QueryResultRow> {
  readonly behind?: Statement<After, []> | undefined;
  readonly isTransaction?: boolean;
  /** Whether it writes nothing; always true in a `read` pool. */
  readonly isRead?: boolean;
  /** Instead of `statementTimeoutMs`; also includes the wait for a connection. */
  readonly timeoutMs?: number;
  readonly signal?: Lifetime | undefined;
  readonly requester?: Requester | undefined;
}

type LendOptions = Pick<QueryThenOptions<never>, 'signal' | 'isRead'>;

/** A borrowed connection, and where to return it. */
interface Loan {
  readonly server: ServerConnections;
  readonly connection: Connection;
}

/** How often a call that was refused or never sent is repeated on another server. */
const maxMoves = 2;

/**
 * Connections to one server, with the semantics of Go's `database/sql` that the guide tunes: max open, max idle,
 * lifetime, idle time. `pg-pool` keeps the connections; this class adds a bounded wait that can be aborted, a deadline
 * that includes the wait, and cancellation on the server.
 *
 * Calls reject with `AppError`: `pool_exhausted`, `database_unavailable` or `statement_timeout`, and nothing is
 * written; `outcome_unknown` when a write was sent and not answered. They reject with the signal's reason when the
 * caller has left, and with PostgreSQL's own error when the statement itself is wrong.
 */
export class Pool<R extends Role = Role> implements Queryable {
  readonly role: R;
  readonly #options: PoolOptions<R>;
  readonly #services: PoolServices;
  readonly #guard: Guard | undefined;
  readonly #gate: Gate;
  readonly #ending = new Set<Promise<void>>();
  #endpoint: Endpoint;
  #server: ServerConnections;

  /** Without a guard, all connections go to one endpoint, whichever server is there. */
  constructor(options: PoolOptions<R>, services: PoolServices, guard?: Guard) {
    this.role = options.role;
    this.#options = options;
    this.#services = services;
    this.#guard = guard;
    this.#gate = new Gate(options.maxOpen, options.maxWaiting);
    this.#endpoint = options.endpoint;
    this.#server = this.#connectTo(options.endpoint);
  }

  get connections(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.#server.open, idle: this.#server.idle, waiting: this.#gate.waiting };
  }

  /**
   * Runs one statement, without an explicit transaction. On abort, a waiting call leaves, a running read is cancelled on the server, and a
   * running write completes and returns its result. Statements in a `write` pool count as writes unless an option of `queryThen` marks them
   * as reads.
   */
  async query<Row extends QueryResultRow, Values extends readonly unknown[]>(
    wanted: Statement<Row, Values>,
    values: Values,
    signal?: AbortSignal,
  ): Promise<Row[]> {
    return (await this.queryThen(async (db) => db.query(wanted, values), { signal })).result;
  }

  /**
   * Runs the statements that `send` sends synchronously, and `behind` after their commit, all in one round trip. One
   * statement, or several that are one transaction. `after` is undefined when only `behind` failed, or was not
   * requested; the others succeeded.
   */
  async queryThen<T, After extends QueryResultRow>(
    send: (db: Queryable) => Promise<T>,
    options: QueryThenOptions<After>,
  ): Promise<{ readonly result: T; readonly after: After[] | undefined }> {
    const deadline = this.#services.clock.now() + (options.timeoutMs ?? this.#options.statementTimeoutMs);
    for (let moves = 0; ; moves += 1) {
      const server = this.#server;
      try {
        const loan = this.#lendNow(options) ?? (await this.#lend(options, deadline));
        try {
          return await this.#sendOn(loan.connection, send, options, deadline);
        } finally {
          this.#giveBack(loan);
        }
      } catch (error) {
        if (moves === maxMoves || !(await this.#hasMoved(server, error, deadline))) throw error;
      }
    }
  }

  /** Runs several statements atomically. Each has the deadline of a statement. */
  async transaction<T>(this: Pool<'write'>, run: (tx: Queryable) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const timeoutMs = this.#options.statementTimeoutMs;
    const deadline = this.#services.clock.now() + timeoutMs;
    const loan = await this.#lend({ signal, isRead: false }, deadline);
    try {
      return await knownOutcome(runTransaction(loan.connection, { timeoutMs }, run, signal), false);
    } finally {
      this.#giveBack(loan);
    }
  }

  /**
   * From now on, connections go to this endpoint, or to the server that its name leads to now; waiting calls get one
   * there. With `isCut`, sent calls reject at once, because answers of the old server are useless.
   */
  moveTo(endpoint: Endpoint, { isCut }: { readonly isCut: boolean }): void {
    this.#end(isCut);
    this.#endpoint = endpoint;
    this.#server = this.#connectTo(endpoint);
  }

  /** Closes every connection, after the statements in flight. */
  async close(): Promise<void> {
    this.#end(false);
    await Promise.all(this.#ending);
  }

  #connectTo(endpoint: Endpoint): ServerConnections {
    return new ServerConnections({
      ...this.#options,
      ...this.#services,
      endpoint,
      misfitOf: this.#guard?.misfitOf,
    });
  }

  #end(isCut: boolean): void {
    const ending = this.#server.end({ isCut }).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #sendOn<T, After extends QueryResultRow>(
    connection: Connection,
    send: (db: Queryable) => Promise<T>,
    { behind, isTransaction = false, signal, requester, ...options }: QueryThenOptions<After>,
    deadline: number,
  ): Promise<{ readonly result: T; readonly after: After[] | undefined }> {
    const isRead = this.#isRead(options);
    const limits = { timeoutMs: this.#left(deadline), interrupt: isRead ? signal : undefined, requester };
    const runBehind = async (): Promise<After[] | undefined> =>
      behind && connection.run<After>(behind, [], limits).then(rowsOf, nothing);
    if (this.#options.wrap) {
      const result = await knownOutcome(runTransaction(connection, limits, send), isRead);
      return { result, after: await runBehind() };
    }
    const [running, following] = connection.together(() => [
      isTransaction ? sendTransaction(connection, limits, send) : send(queryableOn(connection, limits)),
      behind && runBehind(),
    ]);
    try {
      const result = await running;
      return { result, after: await following };
    } catch (error) {
      await following; // The connection stays borrowed until both are answered.
      throw isRead ? error : withOutcome(error);
    }
  }

  #isRead({ isRead = this.role === 'read' }: { readonly isRead?: boolean }): boolean {
    return isRead;
  }

  /**
   * Whether a call that did nothing may succeed now, because the pool has other connections than `server`. A server
   * that refuses writes loses all connections opened before.
   */
  async #hasMoved(server: ServerConnections, error: unknown, deadline: number): Promise<boolean> {
    if (this.#guard === undefined || !isFailureOfServer(error)) return false;
    if (isReadOnlyRefusal(error) && this.#server === server) this.moveTo(this.#endpoint, { isCut: false });
    const looking = this.#guard.look();
    if (this.role === 'read') return false; // Another standby or the primary is queried instead.
    await withDeadline(looking, this.#left(deadline)).catch(() => undefined);
    return this.#server !== server && this.#left(deadline) > 0;
  }

  /** Undefined when the call has to wait. */
  #lendNow({ signal, ...options }: LendOptions): Loan | undefined {
    if (signal?.aborted === true || this.#gate.isFull) return undefined;
    if (!this.#isRead(options) && this.#guard?.takesWrites?.() === false) return undefined;
    const server = this.#server;
    const connection = server.lendNow();
    if (connection === undefined || !this.#gate.tryEnter()) return undefined;
    return { server, connection };
  }

  async #lend({ signal, ...options }: LendOptions, deadline: number): Promise<Loan> {
    if (!this.#isRead(options)) await this.#admitWrite(deadline);
    await this.#enter(deadline, signal);
    const server = this.#server;
    const connecting = server.lend();
    try {
      return { server, connection: await withDeadline(connecting, this.#left(deadline), signal) };
    } catch (error) {
      this.#abandon(server, connecting);
      // A failed connection (unreachable, a wrong password, a certificate) is never the request's fault.
      throw signal?.aborted === true ? signal.reason : new AppError('database_unavailable', { cause: error });
    }
  }

  async #admitWrite(deadline: number): Promise<void> {
    const admission = this.#guard?.admitWrite?.();
    if (admission === undefined) return;
    await withDeadline(admission, this.#left(deadline)).catch((cause: unknown) => {
      throw new AppError('database_unavailable', { cause });
    });
  }

  async #enter(deadline: number, signal: Lifetime | undefined): Promise<void> {
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

  /** Its caller has left; the connection is kept for the next one. */
  #abandon(server: ServerConnections, connecting: Promise<Connection>): void {
    void connecting.then(
      (connection) => this.#giveBack({ server, connection }),
      () => this.#gate.leave(),
    );
  }

  #giveBack({ server, connection }: Loan): void {
    const isSurplus = this.#gate.waiting === 0 && server.idle >= this.#options.maxIdle;
    server.giveBack(connection, isSurplus);
    this.#gate.leave();
  }

  #left(deadline: number): number {
    return Math.max(0, deadline - this.#services.clock.now());
  }
}

/** Distinguishes, for writes, what did not happen from what may have happened. */
async function knownOutcome<T>(sent: Promise<T>, isRead: boolean): Promise<T> {
  try {
    return await sent;
  } catch (error) {
    throw isRead ? error : withOutcome(error);
  }
}

function rowsOf<Row extends QueryResultRow>({ rows }: QueryResult<Row>): Row[] {
  return rows;
}

/** Ignores a failure, where one is acceptable. */
function nothing(): undefined {
  return undefined;
}
