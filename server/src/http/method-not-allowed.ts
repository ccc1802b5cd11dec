import type { FastifyInstance, HTTPMethods } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import { patchTypes } from './json-body.ts';

const allMethods: readonly HTTPMethods[] = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'];

/**
 * Collects the methods of every route added from now on. `close` adds two routes per path: OPTIONS, and 405 for all other methods. Both
 * answers have `Allow`. Call it after the last route.
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
    for (const [url, known] of methods) {
      const allow = [...known, 'OPTIONS'].toSorted().join(', ');
      answerOptions(app, url, { allow, ...(known.has('PATCH') ? { 'accept-patch': patchTypes.join(', ') } : {}) });
      refuseOtherMethods(app, url, { known, allow });
    }
  };
  const routes = (): string[] =>
    [...methods].map(([url, known]) => `${[...known].filter((one) => one !== 'HEAD').join(', ')} ${url}`);
  return { close, routes };
}

const hidden = { schema: { hide: true }, config: { access: 'anyone' } } as const;

/** Also answers preflights, after @fastify/cors has added its headers. */
function answerOptions(app: FastifyInstance, url: string, headers: Readonly<Record<string, string>>): void {
  app.options(url, hidden, async (_request, reply) => reply.code(204).headers(headers).send());
}

interface Methods {
  readonly known: ReadonlySet<string>;
  readonly allow: string;
}

function refuseOtherMethods(app: FastifyInstance, url: string, { known, allow }: Methods): void {
  const others = allMethods.filter((method) => !known.has(method));
  if (others.length === 0) return;
  app.route({
    method: others,
    url,
    ...hidden,
    // Before the body is read, because it would be discarded.
    onRequest: async (_request, reply) => {
      reply.header('allow', allow);
      throw new AppError('method_not_allowed');
    },
    handler: async () => undefined,
  });
}
