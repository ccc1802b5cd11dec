import { setTimeout as sleep } from 'node:timers/promises';

import { withDeadline } from '../../src/lib/with-deadline.ts';
import { answerMs, calls, isOk } from './client.ts';
import { HttpConnection, type Answer, type HttpRequest } from './http-connection.ts';

export interface SteadyLoadOptions {
  readonly url: string;
  readonly clients: number;
  /** Requests of all clients together. */
  readonly perSecond: number;
}

/** Requests of one user of the guide. */
const callsPerUser = 5;

/**
 * Requests at a steady rate. Every second client opens a new connection for each user, like the guide's load; the
 * others keep theirs until the server closes it. Nothing is retried.
 */
export class SteadyLoad {
  readonly #options: SteadyLoadOptions;
  readonly #end = new AbortController();
  readonly #clients: readonly Promise<void>[];
  readonly failures: string[] = [];
  readonly answerTimesMs: number[] = [];

  constructor(options: SteadyLoadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, async (_, client) => this.#drive(client));
  }

  /** Resolves when the last request is answered. */
  async end(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#clients);
  }

  async #drive(client: number): Promise<void> {
    const { clients, perSecond } = this.#options;
    const everyMs = (clients / perSecond) * 1_000;
    const beganMs = performance.now() + (everyMs * client) / clients;
    const user = new User(new URL(this.#options.url), client % 2 === 0);
    for (let turn = 0; !this.#end.signal.aborted; turn += 1) {
      await sleep(Math.max(0, beganMs + turn * everyMs - performance.now()));
      const startedAt = performance.now();
      try {
        const { status, body } = await withDeadline(user.call(turn % callsPerUser), answerMs);
        this.answerTimesMs.push(performance.now() - startedAt);
        if (!isOk({ status })) this.failures.push(`status ${status}: ${body}`);
      } catch (error) {
        user.leave();
        this.failures.push(error instanceof Error ? error.message : 'unknown error');
      }
    }
    user.leave();
  }
}

class User {
  readonly #url: URL;
  readonly #reopens: boolean;
  #connection: HttpConnection | undefined;
  #id = '';

  constructor(url: URL, reopens: boolean) {
    this.#url = url;
    this.#reopens = reopens;
  }

  /** The guide's calls: create, list, read, update, delete. */
  async call(step: number): Promise<Answer> {
    if (step === 0 && this.#reopens) this.leave();
    if (this.#connection?.isOpen !== true) this.#connection = await HttpConnection.open(this.#url);
    const answer = await this.#connection.send(this.#requestOf(step));
    if (step === 0) this.#id = /"id":"(?<id>[^"]+)"/u.exec(answer.body)?.groups?.['id'] ?? '';
    return answer;
  }

  leave(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  #requestOf(step: number): HttpRequest {
    if (step === 0) return calls.create('Ada', 'Lovelace');
    if (step === 1) return calls.list(20);
    if (step === 2) return calls.get(this.#id);
    return step === 3 ? calls.rename(this.#id, 'Grace', 'Hopper') : calls.remove(this.#id);
  }
}
