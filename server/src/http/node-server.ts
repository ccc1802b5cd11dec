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
import { takeUpgrades, wantsUpgrade } from './upgrade.ts';

export interface NodeServerOptions {
  /** Time limit for the headers of a request, and for the whole request. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection stays open after an answer. */
  readonly keepAliveSeconds: number;
  readonly maxHeaderBytes: number;
  readonly services: ExchangeServices;
  readonly early: EarlyAnswers;
  /** The paths whose clients may ask for WebSocket. */
  readonly upgrades: ReadonlySet<string>;
  readonly turn?: Turn | undefined;
}

/** How often Node checks for slow requests: they are aborted within this time after their deadline. */
const slowRequestCheckMs = 1_000;

/** Maximum of requests in flight per connection; further ones are refused, in order. */
const mostPipelined = 100;

const healthAddresses: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/metrics']);

/** Paths that are answered under overload: the state of the server. */
export function isAlwaysAnswered(url: string): boolean {
  const path = url.replace(/\/?(?:\?.*)?$/u, '');
  return healthAddresses.has(path) || /^\/ops(?:\/|$)/u.test(path);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Node's server in front of Fastify. Refuses invalid requests, and requests under overload, before routing and without reading the body,
 * because mass refusals must be cheap.
 */
export function createNodeServer(handle: Handler, options: NodeServerOptions): Server {
  const server = createServer({
    ServerResponse: SecuredResponse,
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.requestTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    connectionsCheckingInterval: slowRequestCheckMs,
    keepAliveTimeout: options.keepAliveSeconds * 1_000,
    requireHostHeader: false, // `checkRequest` requires it, with a better answer.
    joinDuplicateHeaders: true,
    shouldUpgradeCallback: (request) => wantsUpgrade(request, options.upgrades),
  });
  // Undocumented option of Node: a client that has closed its side of the connection gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  admitConnections(server, options.services.connections);
  takeRequests(server, handle, options);
  server.on('connect', (_request: IncomingMessage, socket: Socket) =>
    options.early.refuseSocket(socket, 'not_implemented'),
  );
  return server;
}

/** Runs before Node's own listener, which creates a parser. */
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
  /** Returns the number of requests in flight on its connection. */
  const begin = (response: ServerResponse): number => {
    turn?.tick();
    // oxlint-disable-next-line no-new -- The request refers to it.
    new Exchange(response, services);
    return services.connections.began(response);
  };
  /** Whether the request is admitted; else it was answered. */
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
  takeUpgrades(server, (request, response) => {
    if (admit(request, response)) handle(request, response);
  });
  // Without 100, the client does not send the body of a refused request.
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

/** A page needs the answer to its preflight to read the refusal of the request. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
