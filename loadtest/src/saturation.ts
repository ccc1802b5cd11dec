import type { Outcome } from './outcome.ts';

/** The limit of the 99th percentile; the timer interval alone is 1 ms. */
const lateStartsLimitMs = 10;

/** Fraction of a core that a generator process may use over `cpuSeconds`. */
const cpuShareLimit = 0.9;
const cpuSeconds = 5;

/**
 * The definition of "generator saturated": why the run measured the generator, not the server; empty when the generator kept up.
 * The remedy for the second reason is `--processes`.
 */
export function saturationReasons({ lateStarts, timeline }: Pick<Outcome, 'lateStarts' | 'timeline'>): string[] {
  const reasons: string[] = [];
  const lateMs = lateStarts.percentileMs(99);
  if (lateMs > lateStartsLimitMs)
    reasons.push(`1 % of the requests were sent ${lateMs.toFixed(1)} ms late or more (limit ${lateStartsLimitMs} ms)`);
  const share = busiestShare(timeline.map(({ busiestCpuShare }) => busiestCpuShare));
  if (share > cpuShareLimit)
    reasons.push(`a generator process used ${Math.round(share * 100)} % of a core over ${cpuSeconds} s`);
  return reasons;
}

/** The highest mean of `cpuSeconds` consecutive seconds; 0 for a shorter run. */
function busiestShare(shares: readonly number[]): number {
  let highest = 0;
  for (let end = cpuSeconds; end <= shares.length; end++) {
    const sum = shares.slice(end - cpuSeconds, end).reduce((all, share) => all + share, 0);
    highest = Math.max(highest, sum / cpuSeconds);
  }
  return highest;
}
