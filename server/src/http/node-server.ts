import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { errorCodes } from '@messenger/protocol/errors';

import type { Clock } from '../lib/clock.ts';
import type { Turn } from '../lib/turn.ts';
import type { Admission } from './admission.ts';
import { observeRequest, type HttpObserver } from './observer.ts';
import { problemType, renderProblem, retryAfterSeconds } from './problem.ts';
import type { RefusalLog } from './refusal-log.ts';
import { SecuredResponse } from './security-headers.ts';

declare module 'net' {
  interface Socket {
    /** The answer to the newest request of an HTTP connection, until it is over: a silent one keeps no list in memory. */
    newestAnswer?: ServerResponse | undefined;
  }
}

export interface NodeServerOptions {
  /** For the headers of a request, and again for the request as a whole. */
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly admission: Admission;
  readonly refusals: RefusalLog;
  readonly newRequestId: () => string;
  readonly random: () => number;
  readonly clock: Clock;
  readonly turn?: Turn | undefined;
  readonly observer?: HttpObserver | undefined;
}

/** How often Node looks for requests that arrive too slowly: they are cut within this long after their time. */
const slowRequestCheckMs = 1_000;

/** How long a silent connection is kept: longer than the load balancers in use, which would else write into its end. */
const keepAliveMs = 72_000;

const healthAddresses: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/metrics']);

/** Who asks there asks how the server is, and must hear it also when it has too much to do. */
export function isAlwaysAnswered(url: string): boolean {
  const path = url.replace(/\/?(?:\?.*)?$/u, '');
  return healthAddresses.has(path) || /^\/ops(?:\/|$)/u.test(path);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Node's server in front of Fastify. A request that cannot be answered in time is refused here, before its route and its
 * body are looked at: what is refused in plenty has to be cheap.
 */
export function createNodeServer(handle: Handler, options: NodeServerOptions): Server {
  const { admission, observer, clock, turn } = options;
  const observation = observer && { observer, clock };
  const server = createServer(
    {
      ServerResponse: SecuredResponse,
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.requestTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: slowRequestCheckMs,
      keepAliveTimeout: keepAliveMs,
    },
    (request, response) => {
      turn?.tick();
      request.socket.newestAnswer = response;
      response.on('close', forgetAnswer);
      if (observation !== undefined) observeRequest(response, observation);
      if (admission.isOpen() || isAlwaysAnswered(request.url ?? '')) handle(request, response);
      else refuse(response, options);
    },
  );
  server.maxConnections = options.maxConnections;
  return server;
}

function forgetAnswer(this: ServerResponse): void {
  const { socket } = this.req;
  if (socket.newestAnswer === this) socket.newestAnswer = undefined;
}

/** The body of a refusal, before and behind the request's id. */
const [bodyStart = '', bodyEnd = ''] = renderProblem('overloaded', '@').split('@');

function refuse(response: SecuredResponse, { newRequestId, refusals, random, observer }: NodeServerOptions): void {
  const requestId = newRequestId();
  response.requestId = requestId;
  const body = `${bodyStart}${requestId}${bodyEnd}`;
  response
    .writeHead(errorCodes.overloaded.status, [
      'Content-Type',
      problemType,
      'Content-Length',
      String(Buffer.byteLength(body)),
      'Retry-After',
      retryAfterSeconds(random),
      'Request-Id',
      requestId,
    ])
    .end(body);
  refusals.add({ code: 'overloaded', requestId });
  observer?.requestRefused('overloaded');
}
