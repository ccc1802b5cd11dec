import { Type } from 'typebox';

import { AppError } from '../lib/app-error.ts';
import type { ReadinessCheck } from './readiness.ts';
import type { HttpServer } from './server.ts';

export interface HealthOptions {
  readonly isDraining: () => boolean;
  readonly check: ReadinessCheck;
}

const Ok = Type.Object({ status: Type.Literal('ok') }, { title: 'Health', description: 'Yes' });
const tags = ['health'];

/**
 * `/health` and `/livez`: the process responds. `/readyz`: it can also serve requests; else, and while it drains, 503 with the kind of
 * reason, so that load balancers use other instances.
 */
export function healthRoutes(app: HttpServer, { isDraining, check }: HealthOptions): void {
  for (const url of ['/health', '/livez']) {
    const operationId = `get_${url.slice(1)}`;
    const description = 'Does not check the databases.';
    const schema = { operationId, tags, summary: 'The process answers', description, response: { 200: Ok } };
    app.get(url, { schema, config: { access: 'anyone' } }, async () => ({ status: 'ok' as const }));
  }
  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'get_readyz',
        tags,
        summary: 'The primary database answers',
        description: 'For load balancers. All requests share one check per second.',
        response: { 200: Ok },
      },
      config: { access: 'anyone', refusals: ['not_ready'] },
    },
    async () => {
      const reason = isDraining() ? 'draining' : await check();
      if (reason !== undefined) throw new AppError('not_ready', { reason });
      return { status: 'ok' as const };
    },
  );
}
