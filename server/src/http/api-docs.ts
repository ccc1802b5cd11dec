import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';

import { Problem } from '@messenger/protocol/errors';

import type { HttpServer } from './server.ts';

/** The answers that every route may give beside its own; for `schema.response`. */
const refusal = { description: 'A refusal', content: { 'application/problem+json': { schema: Problem } } };
export const refusals = { '4xx': refusal, '5xx': refusal };

/** The same for routes that write: a client has to know when a retry may write twice. */
export const writeRefusals = {
  ...refusals,
  504: {
    ...refusal,
    description:
      'Not done in time. With the code `statement_timeout` nothing was written. With `outcome_unknown` the write was sent, ' +
      'and the connection to the database ended before its answer came: it may have happened or not. ' +
      'After every other refusal nothing was written',
  },
};

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/**
 * `/openapi.json` from the schemas that validate, and a page to read it at `/docs`, made of files of this server only.
 * Call it before the routes that it shall describe.
 */
export async function apiDocs(app: HttpServer, info: ApiDescription): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: info.title, version: info.version, description: info.description },
      servers: [{ url: '/' }],
    },
    hideUntagged: true,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { layout: 'BaseLayout', validatorUrl: null, tryItOutEnabled: true },
    theme: { title: info.title },
  });
  let document: string | undefined;
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return await reply.type('application/json; charset=utf-8').send(document);
  });
}
