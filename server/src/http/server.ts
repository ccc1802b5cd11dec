import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Turn } from '../lib/turn.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import type { RequestTraces } from '../telemetry/request-traces.ts';
import { Admission } from './admission.ts';
import { answerClientError } from './client-errors.ts';
import type { Connections } from './connections.ts';
import { carryConsistency } from './consistency.ts';
import { corsOptions } from './cors.ts';
import { EarlyAnswers } from './early-answers.ts';
import { acceptJsonOnly } from './json-body.ts';
import { limitLifetime } from './lifetime.ts';
import type { HttpObserver } from './observer.ts';
import { createNodeServer, isAlwaysAnswered } from './node-server.ts';
import { createErrorHandler } from './problem.ts';
import { createValidatorCompiler } from './request-validation.ts';
import { carryTrace } from './trace-context.ts';
import { SecuredResponse } from './security-headers.ts';

export interface HttpOptions {
  /** For a request as a whole; then 408. Its headers alone get as long. */
  readonly requestTimeoutMs: number;
  /** How long requests may queue before new ones are refused with 503; 0 refuses none. See `Admission`. */
  readonly maxQueueMs: number;
  readonly connections: Connections;
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  /** Origins whose pages may use the API; `*` is all, none switches CORS off. */
  readonly corsOrigins: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  /** Ticks with each request. */
  readonly turn?: Turn | undefined;
  readonly random: () => number;
  /** Made anew for each request; also in the log. */
  readonly newRequestId: () => string;
  readonly observer?: HttpObserver | undefined;
  /** Undefined when there are to be no traces. */
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
 * Fastify with our limits, deadlines and errors; knows no routes. Handlers get `request.lifetime`, which aborts when the
 * request's time is over and when its client goes away.
 */
export async function createHttpServer(options: HttpOptions): Promise<HttpServer> {
  const admission = new Admission(options.maxQueueMs, options.clock);
  const failures = new RepeatLog(options.log);
  const early = new EarlyAnswers({ ...options, failures });
  const answerError = createErrorHandler({ ...options, failures });
  // No logger: Fastify would make one for every request, and all that it has to say is said by `answerError`.
  const app = Fastify({
    serverFactory: (handle) => createNodeServer(handle, { ...options, admission, early }),
    genReqId: options.newRequestId,
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
  carryTrace(app, options.traces);
  limitLifetime(app, options.requestTimeoutMs);
  carryConsistency(app);
  countWork(app, admission);
  if (options.corsOrigins.length > 0) await app.register(cors, corsOptions(options.corsOrigins));
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('request-id', request.id);
    if (options.observer !== undefined) nameAnswer(request, reply);
    done(request.is404 ? new AppError('not_found') : undefined); // Before the body is read.
  });
  acceptJsonOnly(app);
  app.addHook('onClose', async () => failures.close());
  return app;
}

/** For the observer, which hears of answers that Fastify never sees, too. `inject` in tests makes answers of its own kind. */
function nameAnswer(request: FastifyRequest, { raw }: FastifyReply): void {
  if (!(raw instanceof SecuredResponse)) return;
  raw.route = request.is404 ? undefined : request.routeOptions.url;
  raw.requestId = request.id;
  raw.traceId = request.traceId;
}

/**
 * Work is what handlers do: a client that is slow to send its body or to read its answer is no load; and that the server
 * says how it is does not mean that it gets anything done.
 */
function countWork(app: FastifyInstance, admission: Admission): void {
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    if (isAlwaysAnswered(route.url)) return;
    route.handler = async function (request, reply) {
      const began = admission.begin();
      try {
        return await handler.call(this, request, reply);
      } finally {
        admission.end(began);
      }
    };
  });
}
