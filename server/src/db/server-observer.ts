import type { QueryResultRow } from 'pg';

import { withDeadline } from '../lib/with-deadline.ts';
import type { Endpoint } from './endpoint.ts';
import { Pool, type PoolServices } from './pool.ts';
import { flushedPosition, toPosition } from './position.ts';
import { serverStatistics, type ServerStatistics } from './server-statistics.ts';
import type { Statement } from './statement.ts';

/** For all of it: connecting, asking, and the answer. */
const answerMs = 900;

/** Asks one server how it is, over one connection of its own that it keeps. */
export class ServerObserver {
  readonly #pool: Pool<'read'>;

  constructor(endpoint: Endpoint, services: PoolServices) {
    this.#pool = new Pool(
      {
        role: 'read', // Its statements may be given up.
        endpoint,
        applicationName: 'messenger metrics',
        maxOpen: 1,
        maxIdle: 1,
        maxWaiting: 1,
        lifetimeMs: 600_000,
        idleTimeMs: 60_000,
        connectTimeoutMs: answerMs,
        statementTimeoutMs: answerMs,
        prepare: false, // Asked once in seconds, and a pooler may be in between.
        wrap: false,
      },
      services,
    );
  }

  /** Undefined when the server does not answer within a second. */
  async ask(): Promise<ServerStatistics | undefined> {
    return await this.#ask(serverStatistics);
  }

  /** What is on the disk of a primary, as bytes of log; undefined when it does not answer within a second. */
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
