import type { Socket } from 'node:net';

import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type RawServerDefault } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { AppError } from '../lib/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import { answerClientError } from './client-errors.ts';
import { carryConsistency, tokenHeader } from './consistency.ts';
import { acceptJsonOnly } from './json-body.ts';
import { limitLifetime } from './lifetime.ts';
import { answerError } from './problem.ts';
import { createValidatorCompiler } from './request-validation.ts';

export interface HttpOptions {
  /** For a request as a whole; then 408. Its headers alone get as long. */
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  /** Origins whose pages may use the API; `*` is all, none switches CORS off. */
  readonly corsOrigins: readonly string[];
  readonly log: Log;
  /** Made anew for each request; also in the log. */
  readonly newRequestId: () => string;
}

export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** How often Node looks for requests that arrive too slowly: they are cut within this long after their time. */
const slowRequestCheckMs = 1_000;

/** Everything but our own files is refused: pages here load nothing from other hosts. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
};

/**
 * Fastify with our limits, deadlines and errors; knows no routes. Handlers get `request.lifetime`, which aborts when the
 * request's time is over and when its client goes away.
 */
export async function createHttpServer(options: HttpOptions): Promise<HttpServer> {
  const loggerInstance: FastifyBaseLogger = options.log;
  const newestAnswers = new WeakMap<Socket, ServerResponse>();
  const app = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: options.newRequestId,
    bodyLimit: options.maxBodyBytes,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    http: {
      maxHeaderSize: options.maxHeaderBytes,
      headersTimeout: options.requestTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: slowRequestCheckMs,
    },
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => {
      answerClientError(error, socket, options.newRequestId(), newestAnswers.get(socket));
    },
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = options.maxConnections;
  app.server.on('request', ({ socket }, response) => newestAnswers.set(socket, response));
  app.setValidatorCompiler(createValidatorCompiler());
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async () => {
    throw new AppError('not_found');
  });
  limitLifetime(app, options.requestTimeoutMs);
  carryConsistency(app);
  await app.register(helmet, { contentSecurityPolicy, strictTransportSecurity: false });
  if (options.corsOrigins.length > 0) await app.register(cors, corsOptions(options.corsOrigins));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('request-id', request.id);
    if (request.is404) throw new AppError('not_found'); // Before the body is read.
  });
  acceptJsonOnly(app);
  return app;
}

function corsOptions(origins: readonly string[]) {
  return {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['location', 'link', 'request-id', 'retry-after', tokenHeader],
    maxAge: 600,
  };
}
