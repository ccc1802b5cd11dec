import { callbackify } from 'node:util';

import { Pool as PgPool, type PoolClient } from 'pg';

import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog, type RepeatedLine } from '../telemetry/repeat-log.ts';
import { Connection, noticeUnconfirmedCommits, cutConnection, type ConnectionOptions } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { describeFailure } from './errors.ts';
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

/** The connections of a pool to one server, for as long as the pool uses that server. `pg-pool` keeps them. */
export class ServerConnections {
  readonly #options: ServerConnectionsOptions;
  readonly #pool: PgPool;
  readonly #lost: RepeatLog;
  readonly #expiresAt = new WeakMap<PoolClient, number>();
  readonly #clients = new Set<PoolClient>();
  readonly #lent = new Set<Connection>();
  readonly #ended = Promise.withResolvers<never>();

  constructor(options: ServerConnectionsOptions) {
    this.#options = options;
    this.#lost = new RepeatLog(options.log);
    this.#ended.promise.catch(() => undefined);
    this.#pool = new PgPool({
      ...clientConfig(options.endpoint, options),
      max: options.maxOpen,
      pipeline: true,
      idleTimeoutMillis: options.idleTimeMs,
      verify: callbackify(async (client: PoolClient) => this.#check(client)),
    });
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined); // The statement that was running reports it; without a listener it is fatal.
      noticeUnconfirmedCommits(client);
      this.#clients.add(client);
      client.once('end', () => this.#clients.delete(client));
      this.#expiresAt.set(client, options.clock.now() + options.lifetimeMs * (1 - options.random() / 10));
    });
    this.#pool.on('error', (error) => {
      this.#lost.add(lostLine, () => ({ role: options.role, reason: describeFailure(error) }));
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
    const connecting = this.#pool.connect();
    const client = await Promise.race([connecting, this.#ended.promise]).catch((error: unknown) => {
      void connecting.then((late) => late.release(true)).catch(() => undefined);
      throw error;
    });
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
    connection.client.release(connection.spoilt || isSurplus || this.#isExpired(connection.client));
  }

  /**
   * Closes idle connections now and lent ones when they are given back; with `isCut`, lent ones at once. Resolves when all
   * are closed.
   */
  async end({ isCut }: { readonly isCut: boolean }): Promise<void> {
    this.#ended.reject(new Error('the pool has left this server'));
    if (isCut) {
      for (const { client } of this.#lent) cutConnection(client);
      // Idle ones say good-bye first; a server that is frozen never answers it.
      setTimeout(() => {
        for (const client of this.#clients) cutConnection(client);
      }, goodByeMs).unref();
    }
    await this.#pool.end();
    this.#lost.close();
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
