import { Distribution } from './distribution.ts';
import type { MeasuredSecond } from './outcome.ts';
import type { PhaseLatencies } from './report.ts';
import type { Phase } from './schedule.ts';

/** Results by arrival phase. A request counts in the second in which it ended; after the last arrival, in the last phase. */
export function reportPhases(phases: readonly Phase[], timeline: readonly MeasuredSecond[]): PhaseLatencies[] {
  let end = 0;
  return phases.map(({ users, seconds }, index) => {
    const start = end;
    end += seconds;
    const isLast = index === phases.length - 1;
    const belongs = ({ second: { second } }: MeasuredSecond): boolean => second >= start && (isLast || second < end);
    return { fromSecond: start, toSecond: end, users, ...latenciesOf(timeline.filter(belongs)) };
  });
}

function latenciesOf(seconds: readonly MeasuredSecond[]): Omit<PhaseLatencies, 'fromSecond' | 'toSecond' | 'users'> {
  const all = new Distribution();
  for (const { latencies } of seconds) all.merge(latencies);
  return {
    count: all.count,
    failed: seconds.reduce((sum, { second }) => sum + second.failed, 0),
    p50Ms: all.percentileMs(50),
    p99Ms: all.percentileMs(99),
    maxMs: all.maxMs,
  };
}
