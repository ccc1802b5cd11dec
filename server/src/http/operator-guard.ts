import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import { isSession, sessionOf } from './operator-session.ts';

export interface OperatorGuardOptions {
  /** Whoever has it may come in, from anywhere; without it nobody may, also on this machine. */
  readonly token: string | undefined;
  /** Whether only the operator can reach this listener: then, without a token, everyone may come in who gets there. */
  readonly isOwnPort: boolean;
}

/**
 * For what only the operator may see. An `onRequest` hook that answers everyone else as if there was nothing at the address.
 * Without a token and a port of its own, who connects from this machine is the operator: by the address of the connection,
 * never by what a header says. What came through a proxy has a local address, too, so everything that looks forwarded is
 * refused; a proxy that says nothing of itself has to keep these addresses closed. A page of another site that a browser on this
 * machine shows is a stranger as well.
 */
export function onlyOperator(options: OperatorGuardOptions): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (!mayEnter(request, options)) throw new AppError('not_found');
  };
}

/** Who has the token shows it with each request, or has shown it in a browser, which keeps a session. */
export function mayEnter(request: FastifyRequest, { token, isOwnPort }: OperatorGuardOptions): boolean {
  if (token !== undefined && isToken(bearerOf(request), token)) return true;
  if (isFromAnotherSite(request)) return false;
  if (token !== undefined) return isSession(sessionOf(request.headers.cookie), token, Date.now());
  return (
    isOwnPort || (isLoopback(request.raw.socket.remoteAddress) && isForThisMachine(request) && !isForwarded(request))
  );
}

function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/iu.exec(headers.authorization ?? '')?.[1];
}

/** Digests, because what is compared in constant time must have the same length. */
export function isToken(given: string | undefined, token: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./u.test(address ?? '');
}

/** The name of another host leads here when its owner says so (DNS rebinding), or through a proxy. */
function isForThisMachine({ headers: { host = '' } }: FastifyRequest): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/iu.test(host);
}

const forwardedBy = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];

function isForwarded({ headers }: FastifyRequest): boolean {
  return forwardedBy.some((name) => headers[name] !== undefined);
}

/** Browsers say so; https://www.w3.org/TR/fetch-metadata/. */
function isFromAnotherSite({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}
