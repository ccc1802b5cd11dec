import type { FastifyInstance, HTTPMethods } from 'fastify';

import { AppError } from '../lib/app-error.ts';

const allMethods: readonly HTTPMethods[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'];

/**
 * Collects the methods of every route that is added from now on. `close` adds, for each address, a route for all other
 * methods: 405 with `Allow`. Call it after the last route.
 */
export function collectMethods(app: FastifyInstance): { readonly close: () => void; readonly routes: () => string[] } {
  const methods = new Map<string, Set<string>>();
  let closed = false;
  app.addHook('onRoute', ({ url, method }) => {
    if (closed || url === '*' || url.startsWith('/docs/')) return;
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one.toUpperCase());
    methods.set(url, known);
  });
  const close = (): void => {
    closed = true;
    for (const [url, known] of methods) refuseOtherMethods(app, url, known);
  };
  const routes = (): string[] =>
    [...methods].map(([url, known]) => `${[...known].filter((one) => one !== 'HEAD').join(', ')} ${url}`);
  return { close, routes };
}

function refuseOtherMethods(app: FastifyInstance, url: string, known: ReadonlySet<string>): void {
  const others = allMethods.filter((method) => !known.has(method));
  if (others.length === 0) return;
  const allow = [...known].toSorted().join(', ');
  app.route({
    method: others,
    url,
    schema: { hide: true },
    // Before the body is read: it would only be thrown away.
    onRequest: async (_request, reply) => {
      reply.header('allow', allow);
      throw new AppError('method_not_allowed');
    },
    handler: async () => undefined,
  });
}
