import type { FastifyReply, FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import { LiveFeed, type LiveFeedOptions } from './live-feed.ts';
import { exchangeOf } from './exchange.ts';
import { mayOpen, onlyOperator, type OperatorGuardOptions } from './operator-guard.ts';
import { loadOpsAssets } from './ops-assets.ts';
import { addVary, sendRepresentation, type Representation } from './representation.ts';
import type { HttpServer } from './server.ts';

export interface OpsRoutesOptions extends LiveFeedOptions {
  readonly guard: OperatorGuardOptions;
}

const hidden = { schema: { hide: true }, config: { access: 'operator' } } as const;

/**
 * `/ops`: the live page, its files, and its stream of samples. Only for the operator, like `/metrics`. Browsers cannot send bearer tokens,
 * so they send the token as a password.
 */
export async function opsRoutes(app: HttpServer, { guard, ...options }: OpsRoutesOptions): Promise<void> {
  const assets = await loadOpsAssets();
  const onRequest = onlyOperator(guard);
  pageRoutes(app, assets, guard);
  app.addHook('onClose', async () => guard.wrongTokens.close());

  const feed = new LiveFeed(options);
  // Without HEAD, because the stream has no end.
  const endless = { ...hidden, onRequest, exposeHeadRoute: false, config: { ...hidden.config, endless: true } };
  app.get('/ops/stream', endless, (request, reply) => {
    reply.hijack();
    feed.add(reply.raw);
    exchangeOf(request.raw).tell(reply.raw.statusCode);
  });
}

/** Asks a browser for the token; it then sends the token with each request to this server. */
const challenge = 'Basic realm="Messenger: METRICS_TOKEN is the password", charset="UTF-8"';

function pageRoutes(app: HttpServer, assets: ReadonlyMap<string, Representation>, guard: OperatorGuardOptions): void {
  app.get('/ops', hidden, async (request, reply) => {
    if (mayOpen(request, guard)) return await sendAsset(request, reply, assets.get('index.html'));
    if (guard.token === undefined) throw new AppError('not_found');
    reply.header('www-authenticate', challenge);
    throw new AppError('unauthenticated', {
      detail: 'The password is the value of METRICS_TOKEN; any user name will do',
    });
  });
  const onRequest = onlyOperator(guard);
  for (const [name, asset] of assets)
    if (!name.endsWith('.html'))
      app.get(`/ops/${name}`, { ...hidden, onRequest }, async (request, reply) => sendAsset(request, reply, asset));
}

async function sendAsset(
  request: FastifyRequest,
  reply: FastifyReply,
  asset: Representation | undefined,
): Promise<FastifyReply> {
  if (asset === undefined) throw new AppError('not_found');
  // Browsers revalidate each time, so an upgrade is visible at once.
  reply.header('cache-control', 'no-cache');
  addVary(reply, 'Authorization');
  return await sendRepresentation(request, reply, asset);
}
