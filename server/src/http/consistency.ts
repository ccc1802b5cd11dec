import { Type } from 'typebox';

import { decodeToken, type Position } from '../db/position.ts';
import { invalidHeader, type AppError } from '../lib/app-error.ts';

/** A write answers with it. A read that sends it is answered from data at least as new. */
export const tokenHeader = 'consistency-token';

/** For `schema.headers` of routes that use the databases. `readToken` validates the value. */
export const TokenHeaders = Type.Object({
  [tokenHeader]: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{20}([A-Za-z0-9_-]{8})?$',
      description: 'The newest token of the client: the answer is at least as new',
    }),
  ),
});

/** Describes the response header for the reference. */
export const newToken = 'Send it with later requests. In answers to writes, and to requests with a token; opaque';

/** The token of a request, undefined without one, or the refusal of an invalid one. */
/** A position of the socket is a token, and eight more characters, which only `since` uses. */
const pattern = /^(?<token>[\w-]{20})(?:[\w-]{8})?$/u;

export function readToken(header: string | string[] | undefined): Position | undefined | AppError {
  if (header === undefined) return undefined;
  return (
    (typeof header === 'string' ? decodeToken(pattern.exec(header)?.groups?.['token'] ?? '') : undefined) ??
    invalidToken()
  );
}

function invalidToken(): AppError {
  return invalidHeader('Consistency-Token', 'is not a token of this server');
}
