import { metricTable } from './metric-table.ts';
import { observe, type Series } from './metrics.ts';

const { buckets } = metricTable.messenger_sync_delivery_seconds;

/** What the sockets of a worker have said and were told since its start; for the metrics. */
export class SyncFigures {
  /** By `op`. */
  readonly frames = new Map<string, number>();
  deliveries = 0;
  /** Sends that were stored before. */
  repeats = 0;
  /** Sockets that were told again what they could not take. */
  caughtUp = 0;
  gaps = 0;
  /** Reads of a conversation for all its sockets. */
  healed = 0;
  /** Changes that clients were told, and that the database does not have. */
  lost = 0;
  readonly delays: Series = { labels: [], values: Array.from({ length: buckets.length + 2 }, () => 0) };

  heard(op: string): void {
    this.frames.set(op, (this.frames.get(op) ?? 0) + 1);
  }

  /** From a commit on the primary to the sockets of this worker. Negative when the clock of the primary is ahead. */
  delayed(delayMs: number): void {
    observe(this.delays, buckets, Math.max(0, delayMs) / 1_000);
  }
}
