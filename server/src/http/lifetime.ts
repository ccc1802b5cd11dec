import type { IncomingMessage } from 'node:http';

import type { FastifyInstance, RouteOptions } from 'fastify';

import { AppError } from '../lib/app-error.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts when the request's time is over, and when its client goes away. */
    lifetime: AbortSignal;
    /** Its handler was called, and will answer. */
    isHandled: boolean;
  }
}

/** Why a request's `lifetime` aborts when nobody waits for the answer any more. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/**
 * Gives every request `timeoutMs`, from its headers to the end of its answer: body, handler, slow readers. A handler
 * that is late is answered for, with 408; what it awaits sees `request.lifetime` abort. (Fastify's own `handlerTimeout`
 * does not do: it takes the end of a request's body for the client's departure.)
 */
export function limitLifetime(app: FastifyInstance, timeoutMs: number): void {
  app.decorateRequest('lifetime');
  app.decorateRequest('isHandled', false);
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController();
    const { signal } = controller;
    request.lifetime = signal;
    const timer = setTimeout(() => {
      const late = new AppError('request_timeout');
      controller.abort(late);
      if (reply.raw.writableFinished) request.raw.destroy();
      else if (reply.raw.headersSent) reply.raw.destroy();
      else if (!request.isHandled) void reply.send(late); // Its body is still on the way; nobody else would answer.
    }, timeoutMs);
    reply.raw.once('close', () => {
      // A body that goes on after the answer (a refusal that did not wait for it) has no more time than this.
      if (hasArrived(request.raw)) clearTimeout(timer);
      else request.raw.once('close', () => clearTimeout(timer));
      timer.unref();
      if (!reply.raw.writableFinished && !signal.aborted) controller.abort(new ClientGoneError('the client went away'));
    });
    done();
  });
  app.addHook('onRoute', endHandlerWithLifetime);
}

function hasArrived({ complete, readableEnded, destroyed, headers }: IncomingMessage): boolean {
  return (
    complete ||
    readableEnded ||
    destroyed ||
    (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0)
  );
}

/** Whatever the handler still does after the end is not waited for; its outcome has nobody to go to. */
function endHandlerWithLifetime(route: RouteOptions): void {
  const { handler } = route;
  route.handler = async function (request, reply) {
    const { lifetime } = request;
    const { promise: over, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(lifetime.reason);
    request.isHandled = true;
    lifetime.addEventListener('abort', onAbort, { once: true });
    if (lifetime.aborted) onAbort();
    try {
      return await Promise.race([handler.call(this, request, reply), over]);
    } finally {
      lifetime.removeEventListener('abort', onAbort);
    }
  };
}
