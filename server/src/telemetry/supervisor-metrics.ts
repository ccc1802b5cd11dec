import type { WorkerCounts } from '../process/workers.ts';
import { readMachine } from './machine-metrics.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { readProcess } from './process-metrics.ts';

export interface SupervisorFacts {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Whether workers are separate processes; else this process is already counted as a worker. */
  readonly isAlone: boolean;
  readonly counts: () => WorkerCounts;
}

/** The supervisor's metrics of itself and its workers. `silent` workers do not answer. */
export function measureSupervisor(facts: SupervisorFacts, silent: number): Snapshot {
  const metrics = new Metrics();
  const { expected, serving, accepting, restarts } = facts.counts();
  metrics.set('messenger_build_info', 1, facts.version, process.version);
  metrics.set('messenger_start_time_seconds', facts.startedAtMs / 1_000);
  metrics.set('messenger_workers', Math.max(0, serving - silent), 'serving');
  metrics.set('messenger_workers', silent, 'silent');
  metrics.set('messenger_workers', expected - serving, 'missing');
  metrics.set('messenger_workers_accepting', accepting);
  metrics.set('messenger_worker_restarts_total', restarts);
  readMachine(metrics);
  if (facts.isAlone) readProcess(metrics, 'supervisor');
  return metrics.snapshot();
}
