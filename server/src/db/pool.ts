import type { QueryResult, QueryResultRow } from 'pg';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from '../telemetry/log.ts';
import type { Asker } from './caller.ts';
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

/** What a pool is told about its server by those who watch it. */
export interface Guard {
  /** Why a new connection to a server that says this of itself may not be used; undefined when it may. */
  readonly misfitOf: (status: ServerStatus) => string | undefined;
  /** Called when a connection failed. Resolves when the servers have been asked again, and the pool was moved if need be. */
  readonly look: () => Promise<void>;
  /** Whether a write may be sent now, without `admitWrite`. */
  readonly takesWrites?: () => boolean;
  /** Resolves when a write may be sent; rejects when the server takes none. */
  readonly admitWrite?: () => Promise<void>;
}

export interface QueryThenOptions<After extends QueryResultRow> {
  readonly behind?: Statement<After, []> | undefined;
  readonly isTransaction?: boolean;
  /** Whether it writes nothing; all that a `read` pool sends is like that. */
  readonly isRead?: boolean;
  /** Instead of `statementTimeoutMs`; waiting for a connection counts here, too. */
  readonly timeoutMs?: number;
  readonly signal?: Lifetime | undefined;
  readonly asker?: Asker | undefined;
}

type LendOptions = Pick<QueryThenOptions<never>, 'signal' | 'isRead'>;

/** A connection that is lent, and where it is given back. */
interface Loan {
  readonly server: ServerConnections;
  readonly connection: Connection;
}

/** A call that the server refused, or that was never sent, is made again on another server at most this often. */
const maxMoves = 2;

/**
 * Connections to one server at a time, with the semantics of Go's `database/sql` that the guide tunes: max open, max idle,
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

  /** Runs several statements as one: all of them, or none. Each has the deadline of a statement. */
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
   * From now on, connections go to this endpoint, or to what its name leads to now; calls that wait for one get it there.
   * With `isCut`, calls that were sent reject at once, because nothing that the old server says is of use any more.
   */
  moveTo(endpoint: Endpoint, { isCut }: { readonly isCut: boolean }): void {
    this.#end(isCut);
    this.#endpoint = endpoint;
    this.#server = this.#connectTo(endpoint);
  }

  /** Closes every connection; those at work finish first. */
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
    { behind, isTransaction = false, signal, asker, ...options }: QueryThenOptions<After>,
    deadline: number,
  ): Promise<{ readonly result: T; readonly after: After[] | undefined }> {
    const isRead = this.#isRead(options);
    const limits = { timeoutMs: this.#left(deadline), interrupt: isRead ? signal : undefined, asker };
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
      await following; // The connection is lent until both are answered.
      throw isRead ? error : withOutcome(error);
    }
  }

  #isRead({ isRead = this.role === 'read' }: { readonly isRead?: boolean }): boolean {
    return isRead;
  }

  /**
   * Whether a call that did nothing may succeed now, because the pool has other connections than `server`. A server that
   * refuses writes loses all connections that were opened before.
   */
  async #hasMoved(server: ServerConnections, error: unknown, deadline: number): Promise<boolean> {
    if (this.#guard === undefined || !isFailureOfServer(error)) return false;
    if (isReadOnlyRefusal(error) && this.#server === server) this.moveTo(this.#endpoint, { isCut: false });
    const looking = this.#guard.look();
    if (this.role === 'read') return false; // Another standby is asked, and the primary.
    await withDeadline(looking, this.#left(deadline)).catch(() => undefined);
    return this.#server !== server && this.#left(deadline) > 0;
  }

  /** Undefined when there is something to wait for. */
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
      // Whatever keeps us from connecting (nobody there, a wrong password, a certificate): no request is to blame.
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

/** Tells apart what has not happened and what may have happened, for what writes. */
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

/** A failure as nothing, for what may fail. */
function nothing(): undefined {
  return undefined;
}
