import type { Databases } from '../db/databases.ts';
import type { DbObserver } from '../db/observer.ts';
import type { Pool, Role } from '../db/pool.ts';
import type { ReadOutcomes } from '../db/reads.ts';
import { metricTable, type MetricName } from './metric-table.ts';
import { add, observe, type Metrics, type Series } from './metrics.ts';

/** Counts statements, batches and waits. */
export function countStatements(metrics: Metrics): DbObserver {
  const durations = seriesOf(metrics, 'messenger_db_statement_duration_seconds');
  const sizes = seriesOf(metrics, 'messenger_db_batch_size');
  const waits = seriesOf(metrics, 'messenger_db_batch_wait_seconds');
  return {
    statementEnded: ({ pool, name, durationMs, failed }) => {
      const { buckets } = metricTable.messenger_db_statement_duration_seconds;
      observe(durations(pool, name), buckets, durationMs / 1_000);
      if (failed) add(metrics.series('messenger_db_statement_failures_total', pool, name), 1);
    },
    batchSent: ({ pool, name, size, waitMs }) => {
      observe(sizes(pool, name), metricTable.messenger_db_batch_size.buckets, size);
      observe(waits(pool, name), metricTable.messenger_db_batch_wait_seconds.buckets, waitMs / 1_000);
    },
    waitEnded: ({ pool, ms }) => {
      add(metrics.series('messenger_db_waits_total', pool), 1);
      add(metrics.series('messenger_db_wait_seconds_total', pool), ms / 1_000);
    },
  };
}

/** Finds series by pool and name without building a combined key for each lookup. */
function seriesOf(metrics: Metrics, metric: MetricName): (pool: Role, name: string) => Series {
  const known = { read: new Map<string, Series>(), write: new Map<string, Series>() };
  return (pool, name) => {
    let series = known[pool].get(name);
    if (series === undefined) known[pool].set(name, (series = metrics.series(metric, pool, name)));
    return series;
  };
}

/** Read at each collection. */
export interface WatchedDatabases extends Pick<Databases, 'batches'> {
  readonly pools: readonly Pick<Pool, 'role' | 'connections'>[];
  readonly reads: { readonly outcomes: ReadOutcomes };
}

/** Sets the current state of the pools, and the reads by server. */
export function readDatabases(metrics: Metrics, { pools, batches, reads }: WatchedDatabases): void {
  for (const name of ['messenger_db_connections', 'messenger_db_waiting'] as const) metrics.clear(name);
  for (const { role, connections } of pools) {
    add(metrics.series('messenger_db_connections', role, 'open'), connections.open);
    add(metrics.series('messenger_db_connections', role, 'idle'), connections.idle);
    add(metrics.series('messenger_db_waiting', role), connections.waiting);
  }
  for (const { role, loads } of batches)
    for (const { waiting } of loads) add(metrics.series('messenger_db_waiting', role), waiting);
  const { standby, waited, primaryForAbsence, primaryForToken, primaryForDoubt } = reads.outcomes;
  metrics.set('messenger_reads_total', standby, 'standby');
  metrics.set('messenger_reads_total', waited, 'standby_after_wait');
  metrics.set('messenger_reads_total', primaryForAbsence, 'primary_for_absence');
  metrics.set('messenger_reads_total', primaryForToken, 'primary_for_token');
  metrics.set('messenger_reads_total', primaryForDoubt, 'primary_for_doubt');
}
