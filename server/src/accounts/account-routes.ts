import { pageLimitDefault } from '@messenger/protocol/limits';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { accountOf, bearerOf } from '../http/access.ts';
import { clientAddress, clientNetwork } from '../http/client-address.ts';
import type { HttpServer } from '../http/server.ts';
import { refuseOtherSites, type SessionCookies } from '../http/session-cookie.ts';
import {
  changeOwnPassword,
  createAccount,
  createSession,
  deleteMe,
  endOtherSessions,
  endSession,
  listAccounts,
  listSessions,
  readMe,
  updateAccount,
  updateMe,
} from './account-schemas.ts';
import type { Accounts } from './accounts.ts';
import type { Sessions } from './sessions.ts';
import type { Client, Opened, SignIns } from './sign-ins.ts';

const prefix = '/api/v1';

export interface AccountRoutes {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly signIns: SignIns;
  readonly cookies: SessionCookies;
}

/** Signing up and in, sessions, the own account, and the accounts of others for administrators. */
export function accountRoutes(app: HttpServer, services: AccountRoutes): void {
  signInRoutes(app, services);
  sessionRoutes(app, services);
  ownRoutes(app, services);
  administratorRoutes(app, services);
}

function signInRoutes(app: HttpServer, { signIns, cookies }: AccountRoutes): void {
  /** With a cookie, the answer contains no token, so that no script can read it. */
  const answer = (request: FastifyRequest, reply: FastifyReply, { token, ...opened }: Opened, cookie = false) => {
    reply.code(201);
    if (!cookie) return { ...opened, token };
    cookies.set(request, reply, token);
    return opened;
  };

  app.post(`${prefix}/accounts`, createAccount, async (request, reply) => {
    if (request.body.cookie === true) refuseOtherSites(request);
    const opened = await signIns.signUp(request.body, clientOf(request), request.account, request.caller);
    reply.header('location', `${prefix}/users/${opened.user.id}`);
    return answer(request, reply, opened, request.body.cookie);
  });

  app.post(`${prefix}/sessions`, createSession, async (request, reply) => {
    if (request.body.cookie === true) refuseOtherSites(request);
    const opened = await signIns.signIn(request.body, clientOf(request), request.account, request.caller);
    return answer(request, reply, opened, request.body.cookie);
  });
}

function sessionRoutes(app: HttpServer, { sessions, cookies }: AccountRoutes): void {
  app.get(`${prefix}/sessions`, listSessions, async (request) => sessions.list(accountOf(request), request.caller));

  app.delete(`${prefix}/sessions/:id`, endSession, async (request, reply) => {
    const account = accountOf(request);
    const { id } = request.params;
    await sessions.end(account, id, addressOf(request), request.caller);
    if (id.toLowerCase() === account.sessionId) cookies.clear(request, reply);
    return done(reply);
  });

  app.delete(`${prefix}/sessions`, endOtherSessions, async (request, reply) => {
    await sessions.endOthers(accountOf(request), addressOf(request), request.caller);
    return done(reply);
  });
}

function ownRoutes(app: HttpServer, { accounts, cookies }: AccountRoutes): void {
  app.get(`${prefix}/me`, readMe, async (request) => accounts.get(accountOf(request).userId, request.caller));

  app.patch(`${prefix}/me`, updateMe, async (request) => accounts.change(request.body, byOf(request), request.caller));

  app.put(`${prefix}/me/password`, changeOwnPassword, async (request, reply) => {
    const token = await accounts.changePassword(request.body, byOf(request), request.caller);
    if (bearerOf(request.headers.authorization) !== undefined) return { token };
    cookies.set(request, reply, token);
    return {};
  });

  app.delete(`${prefix}/me`, deleteMe, async (request, reply) => {
    await accounts.deleteOwn(request.body, byOf(request), request.caller);
    cookies.clear(request, reply);
    return done(reply);
  });
}

function administratorRoutes(app: HttpServer, { accounts }: AccountRoutes): void {
  app.get(`${prefix}/accounts`, listAccounts, async (request, reply) => {
    const { limit = pageLimitDefault } = request.query;
    const { members, next } = await accounts.list(request.query, request.caller);
    if (next !== undefined) reply.header('link', `<${prefix}/accounts?limit=${limit}&after=${next}>; rel="next"`);
    return members;
  });

  app.patch(`${prefix}/accounts/:user_id`, updateAccount, async (request) =>
    accounts.changeRights(request.params.user_id, request.body, byOf(request), request.caller),
  );
}

function done(reply: FastifyReply): null {
  reply.code(204);
  return null;
}

function addressOf({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return clientAddress(ip);
}

function byOf(request: Pick<FastifyRequest, 'ip' | 'account'>) {
  const address = addressOf(request);
  return { account: accountOf(request), address, network: clientNetwork(address) };
}

/** A longer `User-Agent` is truncated; it only serves recognition. */
const userAgentMaxLength = 300;

function clientOf(request: Pick<FastifyRequest, 'ip' | 'headers'>): Client {
  const address = addressOf(request);
  const userAgent = (request.headers['user-agent'] ?? '').slice(0, userAgentMaxLength);
  return { address, network: clientNetwork(address), userAgent };
}
