import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface OperatorGuardOptions {
  /** Whoever has it may come in, from anywhere; without it nobody may, also on this machine. */
  readonly token: string | undefined;
  /** Whether the operator chose whom this listener reaches: then, without a token, everyone may come in who gets there. */
  readonly isOpen: boolean;
  readonly wrongTokens: WrongTokens;
}

/**
 * For what only the operator may see. An `onRequest` hook that answers everyone else as if there was nothing at the address.
 * Without a token, and where it is not open, who connects from this machine is the operator: by the address of the connection,
 * never by what a header says. What came through a proxy has a local address, too, so everything that looks forwarded is
 * refused; a proxy that says nothing of itself has to keep these addresses closed. A page of another site that a browser on this
 * machine shows is a stranger as well. Throws `too_many_attempts` for an address that has sent too many wrong tokens.
 */
export function onlyOperator(options: OperatorGuardOptions): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (!mayEnter(request, options, isFromAnotherSite(request))) throw new AppError('not_found');
  };
}

/**
 * The same for a page that holds no data and cannot be framed: a link may lead there from anywhere. The requests of its
 * scripts are then those of our own site.
 */
export function mayOpen(request: FastifyRequest, options: OperatorGuardOptions): boolean {
  return mayEnter(request, options, isFromAnotherSite(request) && !isNavigation(request));
}

/** A program sends the token as a bearer token; a browser as a password, by itself, also for a page of another site. */
function mayEnter(request: FastifyRequest, options: OperatorGuardOptions, isStrangeSite: boolean): boolean {
  const { token, isOpen } = options;
  if (token !== undefined) {
    const given = bearerOf(request) ?? (isStrangeSite ? undefined : passwordOf(request));
    return given !== undefined && isRightToken(given, token, request, options);
  }
  if (isStrangeSite) return false;
  return isOpen || (isLoopback(request.raw.socket.remoteAddress) && isForThisMachine(request) && !isForwarded(request));
}

function isRightToken(
  given: string,
  token: string,
  { raw }: FastifyRequest,
  { wrongTokens }: OperatorGuardOptions,
): boolean {
  const { remoteAddress } = raw.socket;
  if (wrongTokens.isBlocked(remoteAddress)) throw new AppError('too_many_attempts');
  const isRight = isToken(given, token);
  if (isRight) wrongTokens.trust(remoteAddress);
  else wrongTokens.add(remoteAddress);
  return isRight;
}

function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/iu.exec(headers.authorization ?? '')?.[1];
}

/** Of HTTP Basic authentication (RFC 7617), whatever the user name. */
function passwordOf({ headers }: FastifyRequest): string | undefined {
  const encoded = /^Basic +(\S+)$/iu.exec(headers.authorization ?? '')?.[1];
  return encoded === undefined ? undefined : /^[^:]*:(.*)$/su.exec(Buffer.from(encoded, 'base64').toString())?.[1];
}

/** Digests, because what is compared in constant time must have the same length. */
function isToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
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

/** To a page as a whole: no frame, no script, nothing that another page could look into. */
function isNavigation({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
