import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { errorCodes, type ErrorCode } from '@messenger/protocol/errors';

import type { RepeatLog } from '../telemetry/repeat-log.ts';
import type { Connections } from './connections.ts';
import { corsHeaders } from './cors.ts';
import { exchangeOf } from './exchange.ts';
import type { HttpObserver } from './observer.ts';
import { refusalLine, renderProblem, retryAfterSeconds } from './problem.ts';
import { jsonHeaders, problemType } from './security-headers.ts';

export interface EarlyAnswersOptions {
  readonly corsOrigins: readonly string[];
  readonly newRequestId: () => string;
  readonly random: () => number;
  readonly failures: RepeatLog;
  readonly connections: Pick<Connections, 'areClosing'>;
  readonly observer?: HttpObserver | undefined;
}

const overloadedLine = refusalLine('overloaded', undefined);

interface Answer {
  readonly requestId: string;
  /** Alternating names and values. */
  readonly headers: string[];
  readonly body: string;
}

/** The body of a problem, before and after the request's id. */
type Frame = readonly [before: string, behind: string];

/**
 * Problems for requests that do not reach Fastify, or are not valid HTTP. They have the same headers as others: the request's id, CORS, and
 * those of every answer.
 */
export class EarlyAnswers {
  readonly #options: EarlyAnswersOptions;
  readonly #frames = new Map<ErrorCode, Frame>();

  constructor(options: EarlyAnswersOptions) {
    this.#options = options;
  }

  /** Must be cheap, because it refuses requests under overload. After any other refusal the connection closes. */
  refuse(response: ServerResponse, code: ErrorCode): void {
    const { requestId, headers, body } = this.#make(code, response.req.headers.origin, response.req.socket);
    exchangeOf(response.req).requestId = requestId;
    if (code !== 'overloaded' || this.#options.connections.areClosing) headers.push('Connection', 'close');
    response.writeHead(errorCodes[code].status, headers).end(body);
  }

  /** `OPTIONS *` applies to the whole server (RFC 9110, 9.3.7). */
  answerOptions(response: ServerResponse, methods: ReadonlySet<string>): void {
    const requestId = this.#options.newRequestId();
    exchangeOf(response.req).requestId = requestId;
    const headers = ['Allow', [...methods].join(', '), 'Content-Length', '0', 'Request-Id', requestId];
    response.writeHead(200, [...headers, ...corsHeaders(this.#options.corsOrigins, response.req.headers.origin)]).end();
  }

  /** Writes the answer as bytes when there is no request, and closes the connection. `origin` is the client's, if known. */
  refuseSocket(socket: Socket, code: ErrorCode, origin?: string): void {
    const { headers, body } = this.#make(code, origin, socket);
    const { status } = errorCodes[code];
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${jsonHeaders}`];
    for (let n = 0; n < headers.length; n += 2) lines.push(`${headers[n]}: ${headers[n + 1]}\r\n`);
    socket.end(`${lines.join('')}Date: ${new Date().toUTCString()}\r\nConnection: close\r\n\r\n${body}`, () =>
      socket.destroy(),
    );
  }

  #make(code: ErrorCode, origin: string | undefined, socket: Socket): Answer {
    const { newRequestId, random, failures, observer, corsOrigins } = this.#options;
    const requestId = newRequestId();
    const [before, behind] = this.#frameOf(code);
    const body = `${before}${requestId}${behind}`;
    const headers = ['Content-Type', problemType, 'Content-Length', String(body.length), 'Request-Id', requestId];
    if (errorCodes[code].status === 503) headers.push('Retry-After', retryAfterSeconds(random));
    headers.push(...corsHeaders(corsOrigins, origin));
    if (code === 'overloaded') failures.add(overloadedLine, () => ({ code, requestId, client: socket.remoteAddress }));
    observer?.requestRefused(code);
    return { requestId, headers, body };
  }

  #frameOf(code: ErrorCode): Frame {
    let frame = this.#frames.get(code);
    if (frame === undefined) {
      const [before = '', behind = ''] = renderProblem(code, '@').split('@');
      this.#frames.set(code, (frame = [before, behind]));
    }
    return frame;
  }
}
