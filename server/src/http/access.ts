import type { FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { exchangeOf, type Exchange } from './exchange.ts';
import type { RateGroup, RateLimit, RateLimits } from './rate-limits.ts';
import type { HttpServer } from './server.ts';
import type { SessionCookies } from './session-cookie.ts';

/**
 * Who may call a route. `anyone`: nobody is identified. `guest`: anyone, and a valid session is identified. `operator`: the route's own
 * guard decides.
 */
export type Access = 'anyone' | 'guest' | 'signedIn' | 'administrator' | 'operator';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required: the server does not start with a route that lacks it. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Set on routes whose access identifies sessions; undefined without a valid one. */
    account: SignedIn | undefined;
  }
}

export interface AccessServices {
  /** The session of a token; undefined when there is none. Rejects as `Reads` does. */
  readonly findSession: (token: string, caller: Caller) => SignedIn | undefined | Promise<SignedIn | undefined>;
  readonly cookies: SessionCookies;
  readonly limits: RateLimits;
}

/**
 * Enforces `config.access` of every route that is added from now on, and the rate limits of accounts, before the body is read. A route
 * without it fails the start: call `ready` for that.
 */
export function enforceAccess(app: HttpServer, services: AccessServices): void {
  const undeclared: RouteOptions[] = [];
  app.decorateRequest('account', {
    getter() {
      return exchangeOf(this.raw).account;
    },
  });
  app.addHook('onRoute', (route) => {
    const access = route.config?.access;
    if (access === undefined) undeclared.push(route);
    else if (access !== 'anyone' && access !== 'operator')
      addGuard(route, guard(access, services, services.limits[rateGroupOf(route)]));
  });
  app.addHook('onReady', async () => {
    // A plugin's routes are declared by a later hook of its context. They are not guarded, so only `anyone` is accepted.
    const open = undeclared.find(({ config }) => config?.access !== 'anyone');
    if (open !== undefined) throw new Error(`The route ${String(open.method)} ${open.url} does not declare its access`);
  });
}

function addGuard(route: RouteOptions, hook: onRequestHookHandler): void {
  route.onRequest = [hook, ...[route.onRequest ?? []].flat()];
}

function rateGroupOf({ method, config }: RouteOptions): RateGroup {
  return config?.rateGroup ?? (['GET', 'HEAD'].includes(String(method)) ? 'reads' : 'writes');
}

/** Waits only for a session that is to be read, and then returns a promise: most requests have no token, or one whose session is in memory. */
function guard(
  access: 'guest' | 'signedIn' | 'administrator',
  { findSession, cookies }: AccessServices,
  limit: RateLimit,
): onRequestHookHandler {
  const admit = (exchange: Exchange, reply: FastifyReply, account: SignedIn | undefined): void => {
    exchange.account = account;
    if (account !== undefined) limit(account.userId, reply);
    if (access === 'guest') return;
    if (account === undefined) throw new AppError('unauthenticated');
    if (access === 'administrator' && account.role !== 'admin') throw new AppError('forbidden');
  };
  // oxlint-disable-next-line typescript/no-misused-promises -- Fastify waits for the promise of any hook.
  return (request, reply, done) => {
    const exchange = exchangeOf(request.raw);
    const token = bearerOf(request.headers.authorization) ?? cookies.read(request);
    const found = token === undefined ? undefined : findSession(token, exchange);
    if (found instanceof Promise) return found.then((account) => admit(exchange, reply, account));
    admit(exchange, reply, found);
    return done();
  };
}

const bearer = /^Bearer +([\w-]{43})$/iu;

/** The token of an `Authorization` header; undefined for other text. */
export function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : bearer.exec(header)?.[1];
}

/** Of a route whose access is `signedIn` or `administrator`: its guard has admitted a session. */
export function accountOf({ account }: Pick<FastifyRequest, 'account'>): SignedIn {
  if (account === undefined) throw new AppError('unauthenticated');
  return account;
}
