import type http from 'node:http';

import type { FastifyReply } from 'fastify';

import type { Caller } from '../db/caller.ts';
import type { Position } from '../db/position.ts';
import type { Clock } from '../lib/clock.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import type { SignedIn } from './access.ts';
import type { Admission } from './admission.ts';
import type { Connections } from './connections.ts';
import type { Deadlines } from './deadlines.ts';
import type { EndedRequest, HttpObserver } from './observer.ts';

declare module 'http' {
  interface IncomingMessage {
    exchange?: Exchange;
  }
}

/** What all exchanges of a server share. */
export interface ExchangeServices {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly connections: Connections;
  readonly deadlines: Deadlines<Exchange>;
  readonly observer?: HttpObserver | undefined;
}

/** Why a request's lifetime aborts when its client went away. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/** The status of a request whose client went away. nginx's. */
export const clientGone = 499;

/**
 * One request and its answer, from its headers to the last byte of the answer: its lifetime, what the databases have to know of
 * it, and what the observer is told. One object, because each further one, and each listener, costs every request.
 */
export class Exchange extends LightLifetime implements Caller, EndedRequest {
  /** Undefined when all is over. */
  response: http.ServerResponse | undefined;
  readonly beganMs: number;
  readonly #services: ExchangeServices;
  /** The pattern of the route that answers, once it is known. */
  route: string | undefined = undefined;
  /** Undefined until Fastify has begun with it. */
  reply: FastifyReply | undefined = undefined;
  requestId = '';
  traceId: string | undefined = undefined;
  token: Position | undefined = undefined;
  seen: Position | undefined = undefined;
  /** Set by the guard of a route that identifies sessions. */
  account: SignedIn | undefined = undefined;
  status = 0;
  durationMs = 0;
  /** Undefined while no handler works. */
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

  /** Its handler begins to work. */
  beginWork(): void {
    this.#workBeganMs = this.#services.admission.begin();
  }

  /** There is an answer. */
  endWork(): void {
    if (this.#workBeganMs === undefined) return;
    this.#services.admission.end(this.#workBeganMs);
    this.#workBeganMs = undefined;
  }

  /**
   * Tells the observer, once. Called by the end of the answer; and before it, for an answer that goes on as long as its client
   * likes: what follows is neither in flight nor slow.
   */
  tell(status: number): void {
    const { observer, clock } = this.#services;
    if (this.#isTold || observer === undefined) return;
    this.#isTold = true;
    this.status = status;
    this.durationMs = clock.now() - this.beganMs;
    observer.requestEnded(this);
  }

  /** The answer is over. The request may go on: a refusal does not wait for its body, which has no more time than the answer had. */
  end(response: http.ServerResponse): void {
    this.#services.connections.ended(response);
    this.tell(response.writableFinished ? response.statusCode : clientGone);
    this.endWork();
    if (!response.writableFinished) this.abort(new ClientGoneError('the client went away'));
    if (hasArrived(response.req)) this.#release();
    else response.req.once('close', () => this.#release());
  }

  /**
   * Lets go of the request and its answer. What outlives them (a statement knows who asked) would take them with it into V8's old
   * generation, whose dead objects keep all that they refer to: a GET took 5 µs more (docs/decisions/0040-cost-of-a-request.md).
   */
  #release(): void {
    this.#services.deadlines.remove(this);
    this.response = undefined;
    this.reply = undefined;
  }
}

/** One listener for all answers. */
function endExchange(this: http.ServerResponse): void {
  this.req.exchange?.end(this);
}

/** Of a request that an engine has begun. */
export function exchangeOf(request: http.IncomingMessage): Exchange {
  const { exchange } = request;
  if (exchange === undefined) throw new Error('a request without its exchange');
  return exchange;
}

/** Whether all of a request is here, its body included. */
export function hasArrived({ complete, readableEnded, destroyed, headers }: http.IncomingMessage): boolean {
  return (
    complete ||
    readableEnded ||
    destroyed ||
    (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0)
  );
}
