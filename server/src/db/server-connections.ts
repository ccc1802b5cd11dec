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

/** How long a returned connection is kept for the next caller. */
const warmMs = 1_000;

/** Time for a server to close an idle connection. */
const goodByeMs = 1_000;

export interface ServerConnectionsOptions extends SessionOptions, ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly maxOpen: number;
  readonly lifetimeMs: number;
  readonly idleTimeMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Why a connection to a server with this status may not be used; undefined when it may. */
  readonly misfitOf?: ((status: ServerStatus) => string | undefined) | undefined;
}

/** A server that ends loses all its connections: they share a line. */
const lostLine: RepeatedLine = {
  level: 'warn',
  key: 'lost',
  one: 'an idle database connection was lost',
  many: 'idle database connections were lost',
};

/** After a password change, or on a full server, each call beyond the open connections would be refused. */
const refusedLine: RepeatedLine = {
  level: 'warn',
  key: 'refused',
  one: 'the database refused a further connection; calls share the open ones',
  many: 'the database refused further connections; calls share the open ones',
};

/** After a refusal, no further connection is tried for this long while others are open. */
const refusalPauseMs = 1_000;

/**
 * A pool's connections to one server, while the pool uses that server. `pg-pool` keeps them. When the server refuses a
 * further connection, the call waits for an open one.
 */
export class ServerConnections {
  readonly #options: ServerConnectionsOptions;
  readonly #pool: PgPool;
  readonly #repeats: RepeatLog;
  readonly #expiresAt = new WeakMap<PoolClient, number>();
  readonly #clients = new Set<PoolClient>();
  readonly #lent = new Set<Connection>();
  /** Returned recently, and not yet idle in `pg-pool`. */
  readonly #warm: Connection[] = [];
  #cooling: NodeJS.Timeout | undefined;
  #hasEnded = false;
  /** Aborts the waits for a connection. */
  readonly #obtaining = new Set<() => void>();
  /** Calls that wait for a connection in use. `undefined` means that none is left. */
  readonly #sharing: ((client: PoolClient | undefined) => void)[] = [];
  #refusedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ServerConnectionsOptions) {
    this.#options = options;
    this.#repeats = new RepeatLog(options.log);
    this.#pool = new PgPool({
      ...clientConfig(options.endpoint, options),
      max: options.maxOpen,
      pipeline: true,
      idleTimeoutMillis: options.idleTimeMs,
      verify: callbackify(async (client: PoolClient) => this.#check(client)),
    });
    this.#pool.on('connect', (client) => {
      // The running statement reports the error; without a listener it would be fatal.
      client.on('error', (error) => this.#dropped(client, error));
      client.on('end', () => this.#dropped(client));
      noticeUnconfirmedCommits(client);
      this.#clients.add(client);
      this.#expiresAt.set(client, options.clock.now() + options.lifetimeMs * (1 - options.random() / 10));
    });
    this.#pool.on('error', (error) => this.#tellLost(error));
  }

  get open(): number {
    return this.#pool.totalCount;
  }

  get idle(): number {
    return this.#pool.idleCount + this.#warm.length;
  }

  /** A recently returned connection; undefined without one. The caller must call `giveBack`. */
  lendNow(): Connection | undefined {
    const connection = this.#warm.pop();
    if (connection === undefined) return undefined;
    if (this.#isOver(connection)) {
      connection.client.release(true);
      return this.lendNow();
    }
    this.#lent.add(connection);
    return connection;
  }

  /** Rejects as `pg` does, and at once when the pool has left this server. The caller must call `giveBack`. */
  async lend(): Promise<Connection> {
    const warm = this.lendNow();
    if (warm !== undefined) return warm;
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
    const isOver = this.#isOver(connection);
    const next = isOver ? undefined : this.#sharing.shift();
    if (next !== undefined) next(connection.client);
    else if (isOver || isSurplus || this.#hasEnded || this.#pool.waitingCount > 0)
      connection.client.release(isOver || isSurplus);
    else this.#keepWarm(connection);
  }

  #isOver({ tainted, client }: Connection): boolean {
    return tainted || this.#isExpired(client) || !this.#clients.has(client);
  }

  /** Reuse within a second avoids the timers and listeners of `pg-pool`, which cost as much as a statement. */
  #keepWarm(connection: Connection): void {
    this.#warm.push(connection);
    this.#cooling ??= setTimeout(() => this.#cool(), warmMs).unref();
  }

  #cool(): void {
    clearTimeout(this.#cooling);
    this.#cooling = undefined;
    for (const connection of this.#warm.splice(0)) connection.client.release(this.#isOver(connection));
  }

  /**
   * Closes idle connections now and borrowed ones on return; with `isCut`, borrowed ones at once. Resolves when all are
   * closed.
   */
  async end({ isCut }: { readonly isCut: boolean }): Promise<void> {
    this.#hasEnded = true;
    for (const leave of this.#obtaining) leave();
    this.#sharing.length = 0;
    this.#cool();
    if (isCut) {
      for (const { client } of this.#lent) cutConnection(client);
      // Idle ones close gracefully; a frozen server never answers that.
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

  /** Rejects at once when the pool leaves this server; a client that connects later is closed. */
  async #race<T extends PoolClient | undefined>(obtaining: Promise<T>): Promise<T> {
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(new Error('the pool has left this server'));
    if (this.#hasEnded) leave();
    this.#obtaining.add(leave);
    try {
      return await Promise.race([obtaining, left]);
    } catch (error) {
      void obtaining.then((late) => late?.release(true)).catch(() => undefined);
      throw error;
    } finally {
      this.#obtaining.delete(leave);
    }
  }

  #dropped(client: PoolClient, error?: Error): void {
    this.#clients.delete(client);
    const warm = this.#warm.findIndex((connection) => connection.client === client);
    if (warm !== -1) {
      this.#warm.splice(warm, 1);
      client.release(true);
      this.#tellLost(error);
    }
    if (this.#clients.size > 0) return;
    for (const tell of this.#sharing.splice(0)) tell(undefined);
  }

  /** A name may lead to another server by now. */
  async #check(client: PoolClient): Promise<void> {
    const { misfitOf, connectTimeoutMs } = this.#options;
    if (misfitOf === undefined) return;
    const limit = setTimeout(() => cutConnection(client), connectTimeoutMs);
    const { rows } = await client.query<ServerStatus>(serverStatus.text).finally(() => clearTimeout(limit));
    const misfit = rows[0] && misfitOf(rows[0]);
    if (misfit !== undefined) throw new MisfitError(misfit);
  }

  #tellLost(error: unknown): void {
    this.#repeats.add(lostLine, () => ({ role: this.#options.role, reason: describeFailure(error) }));
  }

  #isExpired(client: PoolClient): boolean {
    return this.#options.clock.now() >= (this.#expiresAt.get(client) ?? 0);
  }
}

class MisfitError extends Error {
  override readonly name = 'MisfitError';
}
