import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';

import { socketDocs } from './async-api.ts';
import { refusalsOfAccess, securityOf, securitySchemes } from './documented-access.ts';
import { describeRefusals, refusalsOf } from './documented-refusals.ts';
import { compressTexts, Representation, sendRepresentation } from './representation.ts';
import { jsonType } from './security-headers.ts';
import type { HttpServer } from './server.ts';
import { shareSchemas } from './shared-schemas.ts';

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/**
 * Serves `/openapi.json`, generated from the validation schemas, and its reference at `/docs`, without files from other hosts. Call it
 * before adding routes.
 */
export async function apiDocs(app: HttpServer, info: ApiDescription): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...info, license: { name: 'MIT', identifier: 'MIT' }, contact: { name: info.title } },
      security: [],
      components: { securitySchemes },
      servers: [{ url: '/' }],
      tags: [
        { name: 'users', description: 'People' },
        { name: 'accounts', description: 'The own account, and for administrators all accounts and security events' },
        { name: 'sessions', description: 'Signing in and out' },
        { name: 'conversations', description: 'Direct conversations, groups and channels' },
        { name: 'members', description: 'People in conversations, and public channels' },
        { name: 'invites', description: 'Codes by which people join' },
        { name: 'blocks', description: 'People whom the caller blocks' },
        { name: 'messages', description: 'Messages of conversations, reactions and threads' },
        { name: 'reading', description: 'What is read, what is not, and what has changed' },
        { name: 'realtime', description: 'The socket for changes as they happen' },
        { name: 'health', description: 'For load balancers and monitoring' },
      ],
    },
    hideUntagged: true,
    transform: ({ schema, url, route }) => ({ url, schema: withRefusals(schema, route) }),
  });
  await app.register(async (pages) => {
    compressTexts(pages);
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'anyone' };
    });
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      transformSpecification: shareSchemas,
      transformSpecificationClone: false,
      uiConfig: { layout: 'BaseLayout', validatorUrl: null, tryItOutEnabled: true },
      theme: { title: `${info.title} API`, js: [{ filename: 'page.js', content: pageScript }] },
    });
  });
  socketDocs(app, info);
  let document: Representation | undefined;
  app.get('/openapi.json', { schema: { hide: true }, config: { access: 'anyone' } }, async (request, reply) => {
    document ??= new Representation(jsonType, JSON.stringify(shareSchemas(app.swagger())), 'file');
    return await sendRepresentation(request, reply, document);
  });
}

type Route = Parameters<NonNullable<FastifyDynamicSwaggerOptions['transform']>>[0];

function withRefusals(schema: Route['schema'], { method, config }: Route['route']): Route['schema'] {
  if (schema.tags === undefined) return schema;
  const own = new Set([...refusalsOfAccess(config?.access, String(method)), ...(config?.refusals ?? [])]);
  const codes = refusalsOf(schema, String(method), [...own]);
  const security = securityOf(config?.access);
  return {
    ...schema,
    ...(security && { security }),
    response: { ...Object(schema.response), ...describeRefusals(codes, schema) },
  };
}

/** Missing in Swagger UI's page: a viewport for phones, and the system's colour scheme. */
const pageScript = `
const viewport = document.createElement('meta');
viewport.name = 'viewport';
viewport.content = 'width=device-width, initial-scale=1';
document.head.append(viewport);
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
`;
