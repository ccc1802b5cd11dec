import type { FastifyReply } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';

import { AppError } from '../lib/app-error.ts';

/** Browsers accept a `__Host-` cookie only over HTTPS, for this host alone and from this host alone (RFC 6265bis, 4.1.3.2). */
const secureName = '__Host-messenger';
const plainName = 'messenger';

const secondsPerDay = 86_400;

/** What a request says about how it came here. */
interface Request {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

export interface SessionCookieOptions {
  /** Whether cookies need HTTPS: on a loopback address only when a proxy says that the client uses it. */
  readonly isSecure: boolean;
  readonly maxAgeDays: number;
}

export interface SessionCookies {
  /** The token; undefined without a cookie. Throws `cross_site_request` for a change that no page of this server has sent. */
  read(request: Request): string | undefined;
  set(request: Request, reply: FastifyReply, token: string): void;
  clear(request: Request, reply: FastifyReply): void;
}

/** Sessions of browsers: cookies that scripts cannot read and other sites cannot use. */
export function createSessionCookies({ isSecure, maxAgeDays }: SessionCookieOptions): SessionCookies {
  const write = (request: Request, reply: FastifyReply, value: string, maxAgeSeconds: number): void => {
    const secure = isSecure || isForwardedHttps(request.headers);
    const name = secure ? secureName : plainName;
    const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure ? '; Secure' : ''}`;
    reply.header('set-cookie', `${name}=${value}; ${attributes}`);
  };
  return {
    read(request) {
      const { cookie } = request.headers;
      if (cookie === undefined) return undefined;
      const token = valueOf(secureName, cookie) ?? (isSecure ? undefined : valueOf(plainName, cookie));
      if (token !== undefined && isChange(request) && !isSameOrigin(request.headers, isSecure))
        throw new AppError('cross_site_request');
      return token;
    },
    set: (request, reply, token) => write(request, reply, token, maxAgeDays * secondsPerDay),
    clear: (request, reply) => write(request, reply, '', 0),
  };
}

/** Throws `cross_site_request` when a browser says that another site has sent the request: nobody is to be signed in by another site. */
export function refuseOtherSites({ headers }: Request): void {
  const { origin, 'sec-fetch-site': site } = headers;
  if ((origin !== undefined || site !== undefined) && !isSameOrigin(headers, false))
    throw new AppError('cross_site_request');
}

/** Undefined also for a value that no token has. */
function valueOf(name: string, cookies: string): string | undefined {
  for (const pair of cookies.split(';')) {
    const [key = '', value = ''] = pair.split('=', 2);
    if (key.trim() === name && /^[\w-]{43}$/u.test(value.trim())) return value.trim();
  }
  return undefined;
}

function isChange({ method }: Request): boolean {
  return !['GET', 'HEAD', 'OPTIONS'].includes(method);
}

/** Browsers send at least one of the two headers with each change, and pages cannot choose them (https://www.w3.org/TR/fetch-metadata/). */
function isSameOrigin(headers: IncomingHttpHeaders, isHttpsOnly: boolean): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin === undefined) return site !== undefined;
  const sent = URL.parse(origin);
  const schemes = isHttpsOnly || isForwardedHttps(headers) ? ['https:'] : ['http:', 'https:'];
  return sent !== null && schemes.includes(sent.protocol) && sent.host === hostOf(headers, sent.protocol);
}

/** As `URL` writes it: lower case, without the default port of the scheme. */
function hostOf({ host = '' }: IncomingHttpHeaders, protocol: string): string | undefined {
  return URL.parse(`${protocol}//${host}`)?.host;
}

/** Only its sender can be harmed by a lie: its cookie then needs HTTPS. */
function isForwardedHttps({ 'x-forwarded-proto': protocol }: IncomingHttpHeaders): boolean {
  return protocol === 'https';
}
