import { AppError } from '../lib/app-error.ts';
import type { Collect, Collection } from '../telemetry/collection.ts';
import { formatFor, renderMetrics } from '../telemetry/render-metrics.ts';
import { onlyOperator, type OperatorGuardOptions } from './operator-guard.ts';
import { addVary } from './representation.ts';
import type { HttpServer } from './server.ts';

export interface MetricsRouteOptions {
  readonly collect: Collect;
  readonly guard: OperatorGuardOptions;
}

/** `/metrics`: the metrics of all processes as Prometheus text, or OpenMetrics by negotiation. */
export function metricsRoute(app: HttpServer, { collect, guard }: MetricsRouteOptions): void {
  const options = { schema: { hide: true }, config: { access: 'operator' }, onRequest: onlyOperator(guard) } as const;
  app.get('/metrics', options, async (request, reply) => {
    const { metrics } = await orNotReady(collect());
    const format = formatFor(request.headers.accept);
    addVary(reply, 'accept');
    return await reply.type(format).send(await renderMetrics(metrics, format));
  });
}

async function orNotReady(collecting: Promise<Collection>): Promise<Collection> {
  try {
    return await collecting;
  } catch (cause) {
    throw new AppError('not_ready', { detail: 'The supervisor did not answer', cause });
  }
}
