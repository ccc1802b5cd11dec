import type { IncomingMessage } from 'node:http';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts when the request's time is over, and when its client goes away. */
    lifetime: AbortSignal;
  }
  interface FastifyContextConfig {
    /** Whether answers of this route go on as long as their client likes. */
    endless?: boolean;
  }
}

/** Why a request's `lifetime` aborts when nobody waits for the answer any more. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/** Methods after which nothing is written. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Gives every request `timeoutMs`, from its headers to the end of its answer: body, handler, slow readers. A handler
 * that is late is answered for, with 408; what it awaits sees `request.lifetime` abort. Where that cannot be called back,
 * because it was sent and writes, the answer is `outcome_unknown`. What comes after that has
 * nobody to go to, and is dropped. (Fastify's own `handlerTimeout` does not do: it takes the end of a request's body for
 * the client's departure.)
 */
export function limitLifetime(app: FastifyInstance, timeoutMs: number): void {
  app.decorateRequest('lifetime');
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController();
    request.lifetime = controller.signal;
    const timer = setTimeout(endLate, timeoutMs, controller, request, reply);
    if (request.routeOptions.config.endless === true) clearTimeout(timer);
    reply.raw.on('close', () => {
      // A body that goes on after the answer (a refusal that did not wait for it) has no more time than this.
      if (hasArrived(request.raw)) clearTimeout(timer);
      else waitForRest(request.raw, timer);
      if (!reply.raw.writableFinished) leave(controller);
    });
    done();
  });
}

function endLate(controller: AbortController, request: FastifyRequest, reply: FastifyReply): void {
  const late = new AppError('request_timeout');
  controller.abort(late);
  if (reply.raw.writableFinished) request.raw.destroy();
  else if (reply.raw.headersSent) reply.raw.destroy();
  else if (safeMethods.has(request.method) || !hasArrived(request.raw)) void reply.send(late);
  else setImmediate(answerUnlessGivenUp, reply);
}

/** By now, whatever could be called back has been, and its handler has answered with the reason. */
function answerUnlessGivenUp(reply: FastifyReply): void {
  if (!reply.raw.headersSent && !reply.raw.destroyed) void reply.send(new AppError('outcome_unknown'));
}

function leave(controller: AbortController): void {
  if (!controller.signal.aborted) controller.abort(new ClientGoneError('the client went away'));
}

/** Its end must not hold up a process that has nothing else to do. */
function waitForRest(request: IncomingMessage, timer: NodeJS.Timeout): void {
  timer.unref();
  request.once('close', () => clearTimeout(timer));
}

function hasArrived({ complete, readableEnded, destroyed, headers }: IncomingMessage): boolean {
  return (
    complete ||
    readableEnded ||
    destroyed ||
    (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0)
  );
}
