import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Caller } from '../db/caller.ts';
import { encodeToken } from '../db/position.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import type { Turn } from '../lib/turn.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import type { RequestTraces } from '../telemetry/request-traces.ts';
import { Admission } from './admission.ts';
import { answerClientError } from './client-errors.ts';
import type { Connections } from './connections.ts';
import { readToken, tokenHeader } from './consistency.ts';
import { corsOptions } from './cors.ts';
import { Deadlines } from './deadlines.ts';
import { EarlyAnswers } from './early-answers.ts';
import { Exchange, exchangeOf, type ExchangeServices } from './exchange.ts';
import { acceptJsonOnly } from './json-body.ts';
import { endLate } from './lifetime.ts';
import type { HttpObserver } from './observer.ts';
import { createNodeServer, isAlwaysAnswered } from './node-server.ts';
import { createErrorHandler } from './problem.ts';
import { createValidatorCompiler } from './request-validation.ts';
import { readTraceparent, traceRequests } from './trace-context.ts';
import { collectUpgrades } from './upgrade.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts at the request's deadline, and when its client disconnects. */
    lifetime: Lifetime;
    /** The request's context for the databases. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** Whether answers of this route are endless. */
    endless?: boolean;
  }
}

export interface HttpOptions {
  /** Deadline of a request, then 408. Also the time limit of its headers. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection stays open after an answer. */
  readonly keepAliveSeconds: number;
  /** The maximum queueing time before new requests are refused with 503; 0 refuses none. See `Admission`. */
  readonly maxQueueMs: number;
  readonly connections: Connections;
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  /** Reverse proxies whose `X-Forwarded-For` is believed: then `request.ip` is the address of their client. */
  readonly trustedProxies?: readonly string[];
  /** Origins whose pages may use the API; `*` is all, an empty list disables CORS. */
  readonly corsOrigins: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  /** Ticked by each request. */
  readonly turn?: Turn | undefined;
  readonly random: () => number;
  /** Creates the id of a request, which is also in the log. */
  readonly newRequestId: () => string;
  readonly observer?: HttpObserver | undefined;
  /** Undefined without tracing. */
  readonly traces?: RequestTraces | undefined;
}

export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * Fastify with our limits, deadlines and errors, without routes. Handlers get `request.lifetime`, which aborts at the request's deadline
 * and when its client disconnects.
 */
export async function createHttpServer(options: HttpOptions): Promise<HttpServer> {
  const services: ExchangeServices = {
    ...options,
    admission: new Admission(options.maxQueueMs, options.clock),
    deadlines: new Deadlines(options.requestTimeoutMs, options.clock, endLate),
  };
  const failures = new RepeatLog(options.log);
  const early = new EarlyAnswers({ ...options, failures });
  const answerError = createErrorHandler({ ...options, failures });
  const { trustedProxies = [] } = options;
  const upgrades = new Set<string>();
  // No logger: Fastify would create one per request, and `answerError` logs all errors.
  const app = Fastify({
    serverFactory: (handle) => createNodeServer(handle, { ...options, services, early, upgrades }),
    genReqId: options.newRequestId,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    bodyLimit: options.maxBodyBytes,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, socket.connection?.newestAnswer, early),
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(createValidatorCompiler());
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async () => {
    throw new AppError('not_found');
  });
  if (options.corsOrigins.length > 0) await app.register(cors, corsOptions(options.corsOrigins));
  if (options.traces !== undefined) traceRequests(app, options.traces);
  carryExchange(app, services);
  collectUpgrades(app, upgrades);
  acceptJsonOnly(app);
  app.addHook('onClose', async () => failures.close());
  return app;
}

/**
 * Starts and ends the exchange of every request. One hook each, because every hook costs each request. A refusal here precedes the reading
 * of the body.
 */
function carryExchange(app: FastifyInstance, services: ExchangeServices): void {
  const { deadlines, connections } = services;
  app.decorateRequest('lifetime', { getter: exchangeOfThis });
  app.decorateRequest('caller', { getter: exchangeOfThis });
  app.addHook('onRequest', (request, reply, done) => {
    const exchange = request.raw.exchange ?? new Exchange(reply.raw, services); // `inject` in tests bypasses our server.
    exchange.requestId = request.id;
    exchange.reply = reply;
    deadlines.add(exchange);
    reply.header('request-id', request.id);
    done(readHeaders(request, exchange));
  });
  app.addHook('onSend', ({ raw: { exchange } }, reply, _payload, done) => {
    exchange?.endWork();
    if (exchange?.seen !== undefined) reply.header(tokenHeader, encodeToken(exchange.seen));
    if (connections.closesWith(reply.raw)) reply.header('connection', 'close');
    done();
  });
  followHandlers(app, deadlines);
}

function exchangeOfThis(this: FastifyRequest): Exchange {
  return exchangeOf(this.raw);
}

/** Returns the refusal, or undefined. */
function readHeaders({ headers, is404 }: FastifyRequest, exchange: Exchange): AppError | undefined {
  const { traceparent, 'content-encoding': encoding } = headers;
  if (traceparent !== undefined) exchange.traceId = readTraceparent(traceparent)?.traceId;
  const token = readToken(headers[tokenHeader]);
  if (token instanceof AppError) return token;
  exchange.token = token;
  if (is404) return new AppError('not_found');
  return encoding === undefined || encoding === 'identity' ? undefined : new AppError('unsupported_media_type');
}

/**
 * Only handlers count as work for admission: slow bodies and slow readers are not load, and answers about the server's state are not
 * progress.
 */
function followHandlers(app: FastifyInstance, deadlines: Deadlines<Exchange>): void {
  app.addHook('onRoute', (route) => {
    const { handler, url, config } = route;
    const isWork = !isAlwaysAnswered(url);
    route.handler = function (request, reply) {
      const exchange = exchangeOf(request.raw);
      exchange.route = url;
      if (config?.endless === true) deadlines.remove(exchange);
      if (isWork) exchange.beginWork();
      return handler.call(this, request, reply);
    };
  });
}
