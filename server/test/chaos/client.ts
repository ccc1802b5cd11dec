import { withDeadline } from '../../src/lib/with-deadline.ts';
import { CutError, HttpConnection, type Answer, type HttpRequest } from './http-connection.ts';
import type { Random } from './random.ts';

/** The server's deadline of a request, and a second of allowance. */
export const answerMs = 11_000;

/** The result of a request. */
export interface Outcome {
  readonly request: HttpRequest;
  /** By `performance.now()`. */
  readonly startedAt: number;
  readonly ms: number;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly body: string;
  readonly token: string | undefined;
  /** Why there was no answer: connection refused, connection closed, or time-out. */
  readonly failure: 'refused' | 'cut' | 'late' | undefined;
  /** The process that was asked; undefined without a connection. */
  readonly worker: string | undefined;
}

export interface ClientOptions {
  readonly url: string;
  /** Requests use any of this many connections, one at a time each, so that they reach different workers. */
  readonly connections: number;
  readonly random: Random;
}

/** An API client with several connections, which it reopens when they are lost. */
export class Client {
  readonly #options: ClientOptions;
  readonly #url: URL;
  readonly #connections: (HttpConnection | undefined)[];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#connections = Array.from({ length: options.connections });
  }

  /** Never rejects. Calls of one client must not overlap. */
  async call(request: HttpRequest): Promise<Outcome> {
    const startedAt = performance.now();
    const place = this.#options.random.between(0, this.#connections.length - 1);
    let connection: HttpConnection | undefined;
    const end = (rest: Pick<Outcome, 'status' | 'body' | 'token' | 'failure'>): Outcome => {
      return { request, startedAt, ms: performance.now() - startedAt, worker: connection?.worker, ...rest };
    };
    try {
      const open = this.#connections[place];
      connection = open?.isOpen === true ? open : await withDeadline(this.#open(place), answerMs);
      const { status, body, token } = await withDeadline(connection.send(request), answerMs);
      return end({ status, body, token, failure: undefined });
    } catch (error) {
      connection?.close();
      return end({ status: 0, body: '', token: undefined, failure: kindOf(error, connection) });
    }
  }

  close(): void {
    for (const connection of this.#connections) connection?.close();
  }

  /** A new connection first finds out its worker, to know whose end may close it. */
  async #open(place: number): Promise<HttpConnection> {
    this.#connections[place]?.close();
    const connection = await HttpConnection.open(this.#url);
    this.#connections[place] = connection;
    await connection.send({ method: 'GET', path: '/livez' });
    return connection.isOpen ? connection : await this.#open(place); // Moved to another worker with this answer.
  }
}

function kindOf(error: unknown, connection: HttpConnection | undefined): Outcome['failure'] {
  if (error instanceof Error && error.name === 'DeadlineError') return 'late';
  return error instanceof CutError && connection !== undefined ? 'cut' : 'refused';
}

export function isOk({ status }: Pick<Answer, 'status'>): boolean {
  return status >= 200 && status < 300;
}

/** Whether the refusal promises that nothing was written. */
export function isRefused({ status, body }: Pick<Outcome, 'status' | 'body'>): boolean {
  return status >= 400 && status !== 500 && !body.includes('"outcome_unknown"');
}

const users = '/api/v1/users';

/** The five calls, and the names that they write. */
export const calls = {
  create: (first: string, last: string): HttpRequest => ({ method: 'POST', path: users, body: namesBody(first, last) }),
  list: (limit: number, token?: string): HttpRequest => ({ method: 'GET', path: `${users}?limit=${limit}`, token }),
  get: (id: string, token?: string): HttpRequest => ({ method: 'GET', path: `${users}/${id}`, token }),
  rename: (id: string, first: string, last: string): HttpRequest => ({
    method: 'PUT',
    path: `${users}/${id}`,
    body: namesBody(first, last),
  }),
  remove: (id: string): HttpRequest => ({ method: 'DELETE', path: `${users}/${id}` }),
};

function namesBody(first: string, last: string): string {
  return JSON.stringify({ first_name: first, last_name: last });
}
