import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import type { Endpoint } from './endpoint.ts';
import { isRefusedConnection } from './errors.ts';
import { serverStatus, type ServerStatus } from './position.ts';
import { openSession, type Session } from './session.ts';

/** For connecting and the answer together; then the server counts as unavailable. */
const answerMs = 500;

/**
 * A name, a virtual address or a proxy may lead to another server while our session to the old one stays open. A probe
 * replaces its session at this interval, which bounds the detection time of such a move.
 */
const sessionMs = 1_000;

export interface ProbeOptions {
  readonly endpoint: Endpoint;
  readonly applicationName: string;
  /** Whether the statement is prepared by name. */
  readonly prepare: boolean;
  readonly clock: Clock;
}

/** Queries one server for its status, over its own session: a busy pool says nothing about the server. */
export class Probe {
  readonly #options: ProbeOptions;
  readonly #sessionMs: number;
  #session: Session | undefined;
  #openedAt = 0;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: ProbeOptions) {
    this.#options = options;
    // A Unix socket always leads to the same server.
    this.#sessionMs = options.endpoint.host.startsWith('/') ? Number.POSITIVE_INFINITY : sessionMs;
  }

  /** Rejects without an answer within half a second. `anew` opens a new session for the query. */
  async ask(anew: boolean): Promise<ServerStatus> {
    const attempt = { isOver: false };
    try {
      return await withDeadline(this.#ask(anew, attempt), answerMs);
    } catch (error) {
      attempt.isOver = true;
      this.#replaceSession(undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#replaceSession(undefined);
    await Promise.all(this.#closing);
  }

  async #ask(anew: boolean, attempt: { readonly isOver: boolean }): Promise<ServerStatus> {
    const { client } = await this.#openSession(anew, attempt);
    const { name, text } = serverStatus;
    const { rows } = await client.query<ServerStatus>(this.#options.prepare ? { name, text } : text);
    const [row] = rows;
    if (row === undefined) throw new Error('the server returned no facts');
    return row;
  }

  async #openSession(anew: boolean, attempt: { readonly isOver: boolean }): Promise<Session> {
    const { endpoint, applicationName, clock } = this.#options;
    const kept = this.#session;
    if (kept !== undefined && !anew && clock.now() - this.#openedAt < this.#sessionMs) return kept;
    const limits = { applicationName, connectTimeoutMs: answerMs, statementTimeoutMs: answerMs };
    try {
      const session = await openSession(endpoint, { ...limits, answerTimeoutMs: answerMs });
      if (attempt.isOver) this.#close(session);
      else this.#replaceSession(session);
      return session;
    } catch (error) {
      // A server that is full, or whose password has changed, is not unavailable.
      if (kept !== undefined && isRefusedConnection(error)) return kept;
      throw error;
    }
  }

  #replaceSession(session: Session | undefined): void {
    if (this.#session !== undefined) this.#close(this.#session);
    this.#session = session;
    this.#openedAt = this.#options.clock.now();
  }

  #close(session: Session): void {
    const closing = session.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
