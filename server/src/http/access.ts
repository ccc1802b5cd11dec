import type { Role } from '@messenger/protocol/accounts';
import type { onRequestAsyncHookHandler, RouteOptions } from 'fastify';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import { exchangeOf } from './exchange.ts';
import type { RateGroup, RateLimit, RateLimits } from './rate-limits.ts';
import type { HttpServer } from './server.ts';

/**
 * Who may call a route. `anyone`: nobody is identified. `guest`: anyone, and a valid session is identified. `operator`: the route's own
 * guard decides.
 */
type Access = 'anyone' | 'guest' | 'signedIn' | 'administrator' | 'operator';

/** The account that a request acts for, and the session that shows it. */
export interface SignedIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Role;
}

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

/** Finds the session of a token; undefined when there is none. Rejects as `Reads` does. */
export type FindSession = (token: string, caller: Caller) => Promise<SignedIn | undefined>;

/**
 * Enforces `config.access` of every route that is added from now on, and the rate limits of accounts, before the body is read. A route
 * without it fails the start: call `ready` for that.
 */
export function enforceAccess(app: HttpServer, findSession: FindSession, limits: RateLimits): void {
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
      addGuard(route, guard(access, findSession, limits[rateGroupOf(route)]));
  });
  app.addHook('onReady', async () => {
    // A plugin's routes are declared by a later hook of its context. They are not guarded, so only `anyone` is accepted.
    const open = undeclared.find(({ config }) => config?.access !== 'anyone');
    if (open !== undefined) throw new Error(`The route ${String(open.method)} ${open.url} does not declare its access`);
  });
}

function addGuard(route: RouteOptions, hook: onRequestAsyncHookHandler): void {
  route.onRequest = [hook, ...[route.onRequest ?? []].flat()];
}

function rateGroupOf({ method, config }: RouteOptions): RateGroup {
  return config?.rateGroup ?? (['GET', 'HEAD'].includes(String(method)) ? 'reads' : 'writes');
}

function guard(
  access: 'guest' | 'signedIn' | 'administrator',
  findSession: FindSession,
  limit: RateLimit,
): onRequestAsyncHookHandler {
  return async ({ raw, headers }, reply) => {
    const exchange = exchangeOf(raw);
    const token = bearerOf(headers.authorization);
    exchange.account = token === undefined ? undefined : await findSession(token, exchange);
    if (exchange.account !== undefined) limit(exchange.account.userId, reply);
    if (access === 'guest') return;
    if (exchange.account === undefined) throw new AppError('unauthenticated');
    if (access === 'administrator' && exchange.account.role !== 'admin') throw new AppError('forbidden');
  };
}

const bearer = /^Bearer +([\w-]{43})$/iu;

function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : bearer.exec(header)?.[1];
}
