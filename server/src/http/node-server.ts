import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { ErrorCode } from '@messenger/protocol/errors';

import type { Turn } from '../lib/turn.ts';
import type { Connections } from './connections.ts';
import type { EarlyAnswers } from './early-answers.ts';
import { Exchange, type ExchangeServices } from './exchange.ts';
import { probeHalfClosed } from './half-closed.ts';
import { checkRequest, knownMethods } from './request-rules.ts';
import { SecuredResponse } from './security-headers.ts';

export interface NodeServerOptions {
  /** For the headers of a request, and again for the request as a whole. */
  readonly requestTimeoutMs: number;
  /** For which a connection without a request stays open after an answer. */
  readonly keepAliveSeconds: number;
  readonly maxHeaderBytes: number;
  readonly services: ExchangeServices;
  readonly early: EarlyAnswers;
  readonly turn?: Turn | undefined;
}

/** How often Node looks for requests that arrive too slowly: they are cut within this long after their time. */
const slowRequestCheckMs = 1_000;

/** Of one connection, at work at the same time; further ones are refused, in their order. */
const mostPipelined = 100;

const healthAddresses: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/metrics']);

/** Requests for the state of the server are answered in an overload, too. */
export function isAlwaysAnswered(url: string): boolean {
  const path = url.replace(/\/?(?:\?.*)?$/u, '');
  return healthAddresses.has(path) || /^\/ops(?:\/|$)/u.test(path);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Node's server in front of Fastify. What cannot be answered, or not in time, is refused here, before its route and its body are
 * looked at: what is refused in plenty has to be cheap.
 */
export function createNodeServer(handle: Handler, options: NodeServerOptions): Server {
  const server = createServer({
    ServerResponse: SecuredResponse,
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.requestTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    connectionsCheckingInterval: slowRequestCheckMs,
    keepAliveTimeout: options.keepAliveSeconds * 1_000,
    requireHostHeader: false, // `checkRequest` does, with an answer that says so.
    joinDuplicateHeaders: true,
  });
  // Node's own, undocumented: a client that has ended its side of the connection gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  admitConnections(server, options.services.connections);
  takeRequests(server, handle, options);
  server.on('connect', (_request: IncomingMessage, socket: Socket) =>
    options.early.refuseSocket(socket, 'not_implemented'),
  );
  return server;
}

/** Before Node's own listener, which makes a parser for each. */
function admitConnections(server: Server, connections: Connections): void {
  const [serve] = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (!connections.admit(socket)) return;
    if (serve !== undefined) Reflect.apply(serve, server, [socket]);
    socket.on('end', probeAnswerInFlight);
  });
}

function probeAnswerInFlight(this: Socket): void {
  const { inFlight, newestAnswer } = this.connection ?? {};
  if (inFlight === 1 && newestAnswer !== undefined) probeHalfClosed(this, newestAnswer);
}

function takeRequests(server: Server, handle: Handler, { early, services, turn }: NodeServerOptions): void {
  /** Returns how many requests of its connection are in flight. */
  const begin = (response: ServerResponse): number => {
    turn?.tick();
    // oxlint-disable-next-line no-new -- The request has it.
    new Exchange(response, services);
    return services.connections.began(response);
  };
  /** Whether it may go on; else it is answered. */
  const admit = (request: IncomingMessage, response: ServerResponse): boolean => {
    const refusal = begin(response) > mostPipelined ? 'overloaded' : findRefusal(request, services);
    if (refusal !== undefined) early.refuse(response, refusal);
    else if (request.url === '*') early.answerOptions(response, knownMethods);
    else return true;
    return false;
  };
  server.on('request', (request, response) => {
    if (admit(request, response)) handle(request, response);
  });
  // A body that is not wanted is not asked for.
  server.on('checkContinue', (request, response) => {
    if (!admit(request, response)) return;
    response.writeContinue();
    handle(request, response);
  });
  server.on('checkExpectation', (_request, response) => {
    begin(response);
    early.refuse(response, 'expectation_failed');
  });
}

function findRefusal(request: IncomingMessage, { admission }: ExchangeServices): ErrorCode | undefined {
  const violation = checkRequest(request);
  if (violation !== undefined) return violation;
  if (admission.isOpen() || isAlwaysAnswered(request.url ?? '') || isPreflight(request)) return undefined;
  return 'overloaded';
}

/** Without its answer a page cannot read the refusal of the request that follows. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
