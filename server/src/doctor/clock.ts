import type { PairCheck } from './about.ts';
import { askNumber } from './ask.ts';
import { grade } from './finding.ts';

const clockSql = `select extract(epoch from clock_timestamp())::float8 * 1000 as value`;

/** Checks that the clocks of the two servers agree, apart from network latency. */
export const checkClocks: PairCheck = async (primary, standby, { limits }) => {
  const before = await askNumber(primary, clockSql);
  const between = await askNumber(standby, clockSql);
  const after = await askNumber(primary, clockSql);
  const skewMs = Math.max(0, before - between, between - after);
  const subject = { check: 'clock skew', where: standby.where } as const;
  const found = `${Math.round(skewMs)} ms from the primary`;
  const advice =
    'Keep the clocks of both machines by NTP: `chronyc tracking` or `timedatectl timesync-status` says how far each is off.';
  return [grade(subject, skewMs, limits.clockSkewMs, found, advice)];
};
