import { callbackify } from 'node:util';

import { Pool as PgPool, type PoolClient } from 'pg';

import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog, type RepeatedLine } from '../telemetry/repeat-log.ts';
import { Connection, noticeUnconfirmedCommits, cutConnection, type ConnectionOptions } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { describeFailure, isRefusedConnection } from './errors.ts';
import { serverStatus, type ServerStatus } from './position.ts';
import { clientConfig, type SessionOptions } from './session.ts';

/** How long a server may take to let go of an idle connection. */
const goodByeMs = 1_000;

export interface ServerConnectionsOptions extends SessionOptions, ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly maxOpen: number;
  readonly lifetimeMs: number;
  readonly idleTimeMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Why a connection to a server that says this of itself may not be used; undefined when it may. */
  readonly misfitOf?: ((status: ServerStatus) => string | undefined) | undefined;
}

/** A server that ends takes all its connections: they share a line. */
const lostLine: RepeatedLine = {
  level: 'warn',
  key: 'lost',
  one: 'an idle database connection was lost',
  many: 'idle database connections were lost',
};

/** After a password changed, or on a server that is full, each call beyond the open connections would be refused. */
const refusedLine: RepeatedLine = {
  level: 'warn',
  key: 'refused',
  one: 'the database refused a further connection; calls share the open ones',
  many: 'the database refused further connections; calls share the open ones',
};

/** After a refusal, how long no further connection is tried while others are open. */
const refusalPauseMs = 1_000;

/**
 * The connections of a pool to one server, for as long as the pool uses that server. `pg-pool` keeps them. When the server
 * refuses a further connection, the call waits for one of those that are open.
 */
export class ServerConnections {
  readonly #options: ServerConnectionsOptions;
  readonly #pool: PgPool;
  readonly #repeats: RepeatLog;
  readonly #expiresAt = new WeakMap<PoolClient, number>();
  readonly #clients = new Set<PoolClient>();
  readonly #lent = new Set<Connection>();
  readonly #ended = Promise.withResolvers<never>();
  /** Calls that wait for a connection that another call has now. `undefined` tells them that none is left. */
  readonly #sharing: ((client: PoolClient | undefined) => void)[] = [];
  #refusedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ServerConnectionsOptions) {
    this.#options = options;
    this.#repeats = new RepeatLog(options.log);
    this.#ended.promise.catch(() => undefined);
    this.#pool = new PgPool({
      ...clientConfig(options.endpoint, options),
      max: options.maxOpen,
      pipeline: true,
      idleTimeoutMillis: options.idleTimeMs,
      verify: callbackify(async (client: PoolClient) => this.#check(client)),
    });
    this.#pool.on('connect', (client) => {
      // The statement that was running reports an error; without a listener it is fatal.
      for (const event of ['error', 'end'] as const) client.on(event, () => this.#dropped(client));
      noticeUnconfirmedCommits(client);
      this.#clients.add(client);
      this.#expiresAt.set(client, options.clock.now() + options.lifetimeMs * (1 - options.random() / 10));
    });
    this.#pool.on('error', (error) => {
      this.#repeats.add(lostLine, () => ({ role: options.role, reason: describeFailure(error) }));
    });
  }

  get open(): number {
    return this.#pool.totalCount;
  }

  get idle(): number {
    return this.#pool.idleCount;
  }

  /** Rejects as `pg` does, and at once when the pool has left this server. Whoever calls this calls `giveBack`. */
  async lend(): Promise<Connection> {
    const client = await this.#obtain();
    if (this.#isExpired(client)) {
      client.release(true);
      return await this.lend();
    }
    const connection = new Connection(client, this.#options);
    this.#lent.add(connection);
    return connection;
  }

  giveBack(connection: Connection, isSurplus: boolean): void {
    this.#lent.delete(connection);
    const { client } = connection;
    const isOver = connection.spoilt || this.#isExpired(client) || !this.#clients.has(client);
    const next = isOver ? undefined : this.#sharing.shift();
    if (next === undefined) client.release(isOver || isSurplus);
    else next(client);
  }

  /**
   * Closes idle connections now and lent ones when they are given back; with `isCut`, lent ones at once. Resolves when all
   * are closed.
   */
  async end({ isCut }: { readonly isCut: boolean }): Promise<void> {
    this.#ended.reject(new Error('the pool has left this server'));
    this.#sharing.length = 0;
    if (isCut) {
      for (const { client } of this.#lent) cutConnection(client);
      // Idle ones say good-bye first; a server that is frozen never answers it.
      setTimeout(() => {
        for (const client of this.#clients) cutConnection(client);
      }, goodByeMs).unref();
    }
    await this.#pool.end();
    this.#repeats.close();
  }

  async #obtain(): Promise<PoolClient> {
    if (this.#mustShare) return (await this.#race(this.#share())) ?? (await this.#obtain());
    try {
      return await this.#race(this.#pool.connect());
    } catch (error) {
      if (!isRefusedConnection(error) || this.#clients.size === 0) throw error;
      this.#refusedUntilMs = this.#options.clock.now() + refusalPauseMs;
      this.#repeats.add(refusedLine, () => ({ role: this.#options.role, reason: describeFailure(error) }));
      return await this.#obtain();
    }
  }

  get #mustShare(): boolean {
    return this.idle === 0 && this.#clients.size > 0 && this.#options.clock.now() < this.#refusedUntilMs;
  }

  async #share(): Promise<PoolClient | undefined> {
    const { promise, resolve } = Promise.withResolvers<PoolClient | undefined>();
    this.#sharing.push(resolve);
    return await promise;
  }

  /** Rejects at once when the pool leaves this server; a client that comes later is closed. */
  async #race<T extends PoolClient | undefined>(obtaining: Promise<T>): Promise<T> {
    try {
      return await Promise.race([obtaining, this.#ended.promise]);
    } catch (error) {
      void obtaining.then((late) => late?.release(true)).catch(() => undefined);
      throw error;
    }
  }

  #dropped(client: PoolClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    for (const tell of this.#sharing.splice(0)) tell(undefined);
  }

  /** A name may lead to another server than the one it led to before. */
  async #check(client: PoolClient): Promise<void> {
    const { misfitOf, connectTimeoutMs } = this.#options;
    if (misfitOf === undefined) return;
    const limit = setTimeout(() => cutConnection(client), connectTimeoutMs);
    const { rows } = await client.query<ServerStatus>(serverStatus.text).finally(() => clearTimeout(limit));
    const misfit = rows[0] && misfitOf(rows[0]);
    if (misfit !== undefined) throw new MisfitError(misfit);
  }

  #isExpired(client: PoolClient): boolean {
    return this.#options.clock.now() >= (this.#expiresAt.get(client) ?? 0);
  }
}

class MisfitError extends Error {
  override readonly name = 'MisfitError';
}
