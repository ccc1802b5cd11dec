import type { QueryResultRow } from 'pg';

import { withDeadline } from '../lib/with-deadline.ts';
import type { Endpoint } from './endpoint.ts';
import { Pool, type PoolServices } from './pool.ts';
import { flushedPosition, toPosition } from './position.ts';
import { serverStatistics, type ServerStatistics } from './server-statistics.ts';
import type { Statement } from './statement.ts';

/** For connecting, the query and the answer together. */
const answerMs = 900;

/** Queries one server's statistics over its own open connection. */
export class ServerObserver {
  readonly #pool: Pool<'read'>;

  constructor(endpoint: Endpoint, services: PoolServices) {
    this.#pool = new Pool(
      {
        role: 'read', // Its statements may be abandoned.
        endpoint,
        applicationName: 'messenger metrics',
        maxOpen: 1,
        maxIdle: 1,
        maxWaiting: 1,
        lifetimeMs: 600_000,
        idleTimeMs: 60_000,
        connectTimeoutMs: answerMs,
        statementTimeoutMs: answerMs,
        prepare: false, // Runs every few seconds, possibly through a pooler.
        wrap: false,
      },
      services,
    );
  }

  /** Undefined when the server does not answer within a second. */
  async ask(): Promise<ServerStatistics | undefined> {
    return await this.#ask(serverStatistics);
  }

  /** The flushed position of a primary, in bytes of WAL; undefined when it does not answer within a second. */
  async askFlushed(): Promise<{ readonly position: number; readonly timeline: number } | undefined> {
    const position = toPosition(await this.#ask(flushedPosition));
    return position && { position: Number(position.lsn), timeline: position.timeline };
  }

  async #ask<Row extends QueryResultRow>(question: Statement<Row, []>): Promise<Row | undefined> {
    try {
      const asked = this.#pool.query(question, [], AbortSignal.timeout(answerMs));
      const [row] = await withDeadline(asked, answerMs + 50);
      return row;
    } catch {
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
