import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';

import type { Caller } from '../db/caller.ts';
import { decodeToken, encodeToken, type Position } from '../db/position.ts';
import { AppError } from '../lib/app-error.ts';

/** What clients get with a write and send with their reads, so that they read what they wrote. */
export const tokenHeader = 'consistency-token';

/** For `schema.headers` of routes that read or write; `carryConsistency` refuses what is no token. */
export const TokenHeaders = Type.Object({
  [tokenHeader]: Type.Optional(
    Type.String({
      description: 'The newest token that the client was given: no answer is older than what it stands for',
    }),
  ),
});

/** What the header of the same name in an answer says, for the reference. */
export const newToken =
  'To be sent with the next requests. In answers to writes, and to requests that carry one; its text means nothing to clients';

declare module 'fastify' {
  interface FastifyRequest {
    /** The request as the databases see it. */
    caller: Caller;
  }
}

/** Reads the client's token into `request.caller`, and answers with the one that the request ended with. */
export function carryConsistency(app: FastifyInstance): void {
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, _reply, done) => {
    const read = readToken(request.headers[tokenHeader]);
    const token = read === 'invalid' ? undefined : read;
    const { lifetime, id: requestId, traceId } = request;
    request.caller = { lifetime, token, seen: undefined, requestId, traceId };
    done(read === 'invalid' ? invalidToken() : undefined);
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { seen } = request.caller;
    if (seen !== undefined) reply.header(tokenHeader, encodeToken(seen));
    done();
  });
}

function readToken(header: string | string[] | undefined): Position | undefined | 'invalid' {
  if (header === undefined) return undefined;
  return typeof header === 'string' ? (decodeToken(header) ?? 'invalid') : 'invalid';
}

function invalidToken(): AppError {
  const message = 'is not a token that this server gave out';
  return new AppError('invalid_request', { errors: [{ in: 'headers', field: 'Consistency-Token', message }] });
}
