import type http from 'node:http';

import type { FastifyReply } from 'fastify';

import type { Caller } from '../db/caller.ts';
import type { Position } from '../db/position.ts';
import type { Clock } from '../lib/clock.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { Admission } from './admission.ts';
import type { Connections } from './connections.ts';
import type { Deadlines } from './deadlines.ts';
import type { EndedRequest, HttpObserver } from './observer.ts';

declare module 'http' {
  interface IncomingMessage {
    exchange?: Exchange;
  }
}

/** Shared by all exchanges of a server. */
export interface ExchangeServices {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly connections: Connections;
  readonly deadlines: Deadlines<Exchange>;
  readonly observer?: HttpObserver | undefined;
}

/** The reason of the lifetime of a request whose client has disconnected. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/** nginx's status of a request whose client has disconnected. */
export const clientGone = 499;

/**
 * One request and its answer, from its headers to the last byte of the answer: its lifetime, the context for the databases, and the data
 * for the observer. One object, because every further object and listener costs each request.
 */
export class Exchange extends LightLifetime implements Caller, EndedRequest {
  /** Undefined at the end. */
  response: http.ServerResponse | undefined;
  readonly beganMs: number;
  readonly #services: ExchangeServices;
  /** The route's pattern, once it is known. */
  route: string | undefined = undefined;
  /** Undefined until Fastify handles it. */
  reply: FastifyReply | undefined = undefined;
  requestId = '';
  traceId: string | undefined = undefined;
  token: Position | undefined = undefined;
  seen: Position | undefined = undefined;
  /** Set by the guard of a route that identifies sessions. */
  account: SignedIn | undefined = undefined;
  status = 0;
  durationMs = 0;
  /** Undefined while no handler runs. */
  #workBeganMs: number | undefined = undefined;
  #isTold = false;

  constructor(response: http.ServerResponse, services: ExchangeServices) {
    super();
    this.response = response;
    this.#services = services;
    this.beganMs = services.clock.now();
    response.req.exchange = this;
    response.on('close', endExchange);
    services.observer?.requestBegan();
  }

  get lifetime(): this {
    return this;
  }

  get method(): string {
    return this.response?.req.method ?? '';
  }

  get client(): string | undefined {
    return this.response?.req.socket.remoteAddress;
  }

  /** Records the start of its handler. */
  beginWork(): void {
    this.#workBeganMs = this.#services.admission.begin();
  }

  /** Records the answer. */
  endWork(): void {
    if (this.#workBeganMs === undefined) return;
    this.#services.admission.end(this.#workBeganMs);
    this.#workBeganMs = undefined;
  }

  /**
   * Notifies the observer once: at the end of the answer, or at the start of an endless one, which then counts neither as in flight nor as
   * slow.
   */
  tell(status: number): void {
    const { observer, clock } = this.#services;
    if (this.#isTold || observer === undefined) return;
    this.#isTold = true;
    this.status = status;
    this.durationMs = clock.now() - this.beganMs;
    observer.requestEnded(this);
  }

  /** The answer has ended. The request may not: a refusal does not wait for its body, which keeps the same deadline. */
  end(response: http.ServerResponse): void {
    this.#services.connections.ended(response);
    this.tell(response.writableFinished ? response.statusCode : clientGone);
    this.endWork();
    if (!response.writableFinished) this.abort(new ClientGoneError('the client went away'));
    if (hasArrived(response.req)) this.#release();
    else response.req.once('close', () => this.#release());
  }

  /** The connection has changed its protocol: the exchange ends, the connection stays. */
  upgraded(response: http.ServerResponse): void {
    response.off('close', endExchange);
    this.#services.connections.upgraded(response);
    this.tell(101);
    this.endWork();
    this.#release();
  }

  /**
   * Drops the references to request and answer. Objects that live longer, such as a statement with its caller, would move them to V8's old
   * generation: 5 µs more per GET (docs/decisions/0040-cost-of-a-request.md).
   */
  #release(): void {
    this.#services.deadlines.remove(this);
    this.response = undefined;
    this.reply = undefined;
  }
}

/** One listener for all answers, to avoid a closure for each. */
function endExchange(this: http.ServerResponse): void {
  this.req.exchange?.end(this);
}

/** The exchange of a request. */
export function exchangeOf(request: http.IncomingMessage): Exchange {
  const { exchange } = request;
  if (exchange === undefined) throw new Error('a request without its exchange');
  return exchange;
}

/** Whether a request has arrived completely, with its body. */
export function hasArrived({ complete, readableEnded, destroyed, headers }: http.IncomingMessage): boolean {
  return (
    complete ||
    readableEnded ||
    destroyed ||
    (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0)
  );
}
