import type { FailoverLoad } from './failover-load.ts';
import { percentile, type Finding } from './part.ts';

/** By `performance.now()`. */
export interface Moments {
  readonly endedAt: number;
  readonly promotedAt: number;
  /** When clients of the database could find the new primary: it was promoted, and its name led to it. */
  readonly foundAt: number;
}

/**
 * The promise: writes resume within this time after the promotion. After a name has moved, none fails for longer than
 * `nameMs`.
 */
const backMs = 5_000;
const nameMs = 2_000;

/** The deadline of a read, and a second of allowance. */
const readMs = 4_000;

const isGood = (status: number): boolean => status >= 200 && status < 300;

/** Compares the clients' results with the promises, and with the users on the new primary. */
export function judgeFailover(
  { writes, reads, created, stale }: FailoverLoad,
  kept: ReadonlySet<string>,
  { endedAt, promotedAt, foundAt, isSynchronous }: Moments & { readonly isSynchronous: boolean },
): Finding {
  const lost = created.filter(({ id }) => !kept.has(id));
  const lostIds = new Set(lost.map(({ id }) => id));
  const staleReads = stale.filter(({ id }) => !lostIds.has(id));
  const failedWrites = writes.filter(({ status, endedAt: at }) => !isGood(status) && at >= endedAt);
  const failedReads = reads.filter(({ status }) => status !== 200);
  const back = writes.find(
    ({ status, startedAt, endedAt: at }) => isGood(status) && startedAt >= endedAt && at > foundAt,
  );
  const backAfterMs = back === undefined ? Number.POSITIVE_INFINITY : back.endedAt - foundAt;
  const lastFailureMs = Math.max(0, ...failedWrites.map(({ endedAt: at }) => at - foundAt));
  const lastLostMs = Math.max(0, ...lost.map(({ acknowledgedAt }) => acknowledgedAt - foundAt));
  const slowestReadMs = Math.max(...reads.map(({ startedAt, endedAt: at }) => at - startedAt));
  const gapMs = longestGap(reads.filter(({ status }) => status === 200).map(({ endedAt: at }) => at));
  const violations = [
    ...(backAfterMs > backMs ? [`the first write succeeded ${Math.round(backAfterMs)} ms after the promotion`] : []),
    ...(lastFailureMs > (foundAt > promotedAt ? nameMs : backMs)
      ? [`a write failed ${Math.round(lastFailureMs)} ms after the new primary could be found`]
      : []),
    ...(failedReads.length > 0
      ? [`${failedReads.length} reads of existing users failed: ${countBy(failedReads)}`]
      : []),
    ...(slowestReadMs > readMs ? [`a read took ${Math.round(slowestReadMs)} ms`] : []),
    ...staleReads.map(({ at, what }) => `a user just created was 404 ${Math.round(at - promotedAt)} ms after: ${what}`),
    ...(isSynchronous && lost.length > 0 ? [`${lost.length} acknowledged writes are lost`] : []),
    ...(lastLostMs > nameMs ? [`the old primary accepted writes for ${Math.round(lastLostMs)} ms`] : []),
  ];
  const figures =
    `${writes.length} writes (${failedWrites.length} failed: ${countBy(failedWrites)}), first success after ` +
    `${Math.round(backAfterMs)} ms, last failure after ${Math.round(lastFailureMs)} ms; ${reads.length} reads ` +
    `(${failedReads.length} failed), longest gap ${Math.round(gapMs)} ms, p99 ` +
    `${Math.round(
      percentile(
        reads.map((one) => one.endedAt - one.startedAt),
        0.99,
      ),
    )} ms, slowest ` +
    `${Math.round(slowestReadMs)} ms; ${staleReads.length} stale; ${lost.length} acknowledged but lost, the last ` +
    `after ${Math.round(lastLostMs)} ms`;
  return { figures, violations };
}

function countBy(calls: readonly { readonly status: number }[]): string {
  const counts = Map.groupBy(calls, ({ status }) => status);
  return [...counts].map(([status, those]) => `${those.length} × ${status}`).join(', ') || 'none';
}

function longestGap(times: readonly number[]): number {
  const sorted = times.toSorted((one, other) => one - other);
  return Math.max(0, ...sorted.map((at, index) => at - (sorted[index - 1] ?? at)));
}
