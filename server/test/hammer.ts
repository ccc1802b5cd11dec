import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** The answer to a request of `Hammer`. */
export interface Hit {
  /** By `performance.now()`, before it was sent. */
  readonly beganMs: number;
  readonly status: number;
  readonly worker: string;
  /** Headers and body of an answer that is an error. */
  readonly refusal: string | undefined;
}

/** After so many requests, a client opens a new connection, so that workers which begin to accept get some. */
const requestsPerConnection = 30;

/** Between two requests of a client: the server needs time for other requests. */
const pauseMs = 5;

/** Clients that send one request after the other, each on its own connection. */
export class Hammer {
  readonly #url: string;
  readonly #running: Promise<void>[];
  readonly #stopping = new AbortController();
  #token = '';
  hits: Hit[] = [];
  /** Of the whole run. */
  readonly refusals: string[] = [];

  constructor(url: string, clients: number) {
    this.#url = url;
    this.#running = Array.from({ length: clients }, async () => this.#run());
  }

  /** From now on, clients use the session of this token. */
  use(token: string): void {
    this.#token = token;
    this.hits = [];
  }

  /** The workers that have answered with a status. */
  workersWith(status: number): Set<string> {
    return new Set(this.hits.filter((hit) => hit.status === status).map(({ worker }) => worker));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) await this.#sendOnOneConnection(signal);
  }

  async #sendOnOneConnection(signal: AbortSignal): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let sent = 0; sent < requestsPerConnection && !signal.aborted; sent += 1) {
      const { hits } = this;
      const hit = await ask(this.#url, this.#token, agent);
      if (hit === undefined) break;
      hits.push(hit);
      if (hit.refusal !== undefined) this.refusals.push(hit.refusal);
      await sleep(pauseMs);
    }
    agent.destroy();
  }
}

/** Undefined when the connection was closed. The id of a request begins with the number of its worker. */
async function ask(url: string, token: string, agent: Agent): Promise<Hit | undefined> {
  const { promise, resolve } = Promise.withResolvers<Hit | undefined>();
  const beganMs = performance.now();
  const sent = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
    const [worker = ''] = String(response.headers['request-id']).split('-');
    const { statusCode: status = 0, rawHeaders } = response;
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => (body += text));
    response.on('end', () => {
      const refusal = status < 400 ? undefined : `${rawHeaders.join('\n')}\n${body}`;
      resolve({ beganMs, status, worker, refusal });
    });
  });
  sent.on('error', () => resolve(undefined)).end();
  return await promise;
}
