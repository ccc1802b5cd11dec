import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface OperatorGuardOptions {
  /** Admits its holders from anywhere. When set, all others are refused, also on this machine. */
  readonly token: string | undefined;
  /** Whether the operator chose the listener's address: then, without a token, all its clients are admitted. */
  readonly isOpen: boolean;
  readonly wrongTokens: WrongTokens;
}

/**
 * An `onRequest` hook that admits only the operator, and answers 404 to all others. Without a token on a listener that is not open, clients
 * of this machine are admitted, by the peer's address, never by a header. Requests through a proxy have a local address, too, so those with
 * forwarding headers are refused; a proxy that adds none must block these paths. Cross-site requests of browsers are refused. Throws
 * `too_many_attempts` for an address that has sent too many wrong tokens.
 */
export function onlyOperator(options: OperatorGuardOptions): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (!mayEnter(request, options, isFromAnotherSite(request))) throw new AppError('not_found');
  };
}

/**
 * The same for a page that has no data and cannot be framed: links from other sites are admitted. The requests of its scripts are then
 * same-site.
 */
export function mayOpen(request: FastifyRequest, options: OperatorGuardOptions): boolean {
  return mayEnter(request, options, isFromAnotherSite(request) && !isNavigation(request));
}

/** Programs send the token as a bearer token. Browsers send it as a password, also in cross-site requests. */
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

/** The password of HTTP Basic authentication (RFC 7617), with any user name. */
function passwordOf({ headers }: FastifyRequest): string | undefined {
  const encoded = /^Basic +(\S+)$/iu.exec(headers.authorization ?? '')?.[1];
  return encoded === undefined ? undefined : /^[^:]*:(.*)$/su.exec(Buffer.from(encoded, 'base64').toString())?.[1];
}

/** Compares digests, because a comparison in constant time needs equal lengths. */
function isToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Other host names lead here by DNS rebinding or through a proxy. */
function isForThisMachine({ headers: { host = '' } }: FastifyRequest): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/iu.test(host);
}

const forwardedBy = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];

function isForwarded({ headers }: FastifyRequest): boolean {
  return forwardedBy.some((name) => headers[name] !== undefined);
}

/** From fetch metadata of browsers: https://www.w3.org/TR/fetch-metadata/. */
function isFromAnotherSite({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

/** A top-level navigation: no frame or script, so no other page can read the response. */
function isNavigation({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
