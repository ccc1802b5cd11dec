import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';

import { AppError } from '../lib/app-error.ts';
import { LiveFeed, type LiveFeedOptions } from './live-feed.ts';
import { endObservation } from './observer.ts';
import { isToken, mayOpen, onlyOperator, type OperatorGuardOptions } from './operator-guard.ts';
import { closeSession, openSession } from './operator-session.ts';
import { loadOpsAssets, type OpsAsset } from './ops-assets.ts';
import { SecuredResponse } from './security-headers.ts';
import type { HttpServer } from './server.ts';

export interface OpsRoutesOptions extends LiveFeedOptions {
  readonly guard: OperatorGuardOptions;
}

const hidden = { schema: { hide: true } };
const Login = Type.Object({ token: Type.String({ minLength: 1, maxLength: 1_024 }) }, { additionalProperties: false });

/**
 * `/ops`: the live page, its files, and the stream of samples that it shows. Only for the operator, as `/metrics`. A browser
 * cannot be told to send a bearer token, so where one is needed the page asks for it once, and gets a session.
 */
export async function opsRoutes(app: HttpServer, { guard, ...options }: OpsRoutesOptions): Promise<void> {
  const assets = await loadOpsAssets();
  const onRequest = onlyOperator(guard);
  pageRoutes(app, assets, guard);

  const feed = new LiveFeed(options);
  // Without HEAD: what has no end has nothing to say before it.
  const endless = { ...hidden, onRequest, exposeHeadRoute: false, config: { endless: true } };
  app.get('/ops/stream', endless, (_request, reply) => {
    reply.hijack();
    feed.add(reply.raw);
    if (reply.raw instanceof SecuredResponse) endObservation(reply.raw);
  });

  const { token } = guard;
  if (token === undefined) return;
  app.post('/ops/session', { schema: { hide: true, body: Login } }, async (request, reply) => {
    if (!isToken(request.body.token, token)) throw new AppError('not_found', { detail: 'This is not the token' });
    return await reply.code(204).header('set-cookie', openSession(token, Date.now())).send();
  });
  app.delete('/ops/session', { ...hidden, onRequest }, async (_request, reply) =>
    reply.code(204).header('set-cookie', closeSession).send(),
  );
}

/** The page itself, or the form that asks for the token. The other files hold no secret, and the form needs some of them. */
function pageRoutes(app: HttpServer, assets: ReadonlyMap<string, OpsAsset>, guard: OperatorGuardOptions): void {
  const onRequest = guard.token === undefined ? onlyOperator(guard) : async () => undefined;
  app.get('/ops', hidden, async (request, reply) => {
    const isIn = mayOpen(request, guard);
    if (!isIn && guard.token === undefined) throw new AppError('not_found');
    if (!isIn) reply.code(401);
    return await sendAsset(request, reply, assets.get(isIn ? 'index.html' : 'login.html'));
  });
  for (const [name, asset] of assets)
    if (!name.endsWith('.html'))
      app.get(`/ops/${name}`, { ...hidden, onRequest }, async (request, reply) => sendAsset(request, reply, asset));
}

async function sendAsset(
  request: FastifyRequest,
  reply: FastifyReply,
  asset: OpsAsset | undefined,
): Promise<FastifyReply> {
  if (asset === undefined) throw new AppError('not_found');
  // Looked at anew each time, so that nobody sees the page of the version before.
  reply.header('cache-control', 'no-cache').header('etag', asset.etag).header('vary', 'cookie').type(asset.type);
  if (reply.statusCode === 200 && request.headers['if-none-match'] === asset.etag) return await reply.code(304).send();
  return await reply.send(asset.text);
}
