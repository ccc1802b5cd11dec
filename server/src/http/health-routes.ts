import { Type } from 'typebox';

import { AppError } from '../lib/app-error.ts';
import { refusals } from './api-docs.ts';
import type { ReadinessCheck } from './readiness.ts';
import type { HttpServer } from './server.ts';

export interface HealthOptions {
  readonly isDraining: () => boolean;
  readonly check: ReadinessCheck;
}

const Ok = Type.Object({ status: Type.Literal('ok') }, { description: 'Yes' });
const tags = ['health'];

/**
 * `/health` and `/livez`: the process answers. `/readyz`: it can also do its work; 503 with the kind of reason
 * while it cannot, and while it is draining, so that load balancers turn away.
 */
export function healthRoutes(app: HttpServer, { isDraining, check }: HealthOptions): void {
  for (const url of ['/health', '/livez']) {
    app.get(url, { schema: { tags, summary: 'The process answers', response: { 200: Ok } } }, async () => ({
      status: 'ok' as const,
    }));
  }
  app.get(
    '/readyz',
    { schema: { tags, summary: 'The primary database answers', response: { 200: Ok, ...refusals } } },
    async () => {
      const reason = isDraining() ? 'draining' : await check();
      if (reason !== undefined) throw new AppError('not_ready', { reason });
      return { status: 'ok' as const };
    },
  );
}
