import type { PairCheck, Server } from './about.ts';
import { grade } from './finding.ts';

const clockSql = `select extract(epoch from clock_timestamp())::float8 * 1000 as ms`;

/** Whether the two servers agree about the time. What the network takes is not counted as a difference. */
export const checkClocks: PairCheck = async (primary, standby, { limits }) => {
  const before = await readClock(primary);
  const between = await readClock(standby);
  const after = await readClock(primary);
  const skewMs = Math.max(0, before - between, between - after);
  const subject = { check: 'clock skew', where: standby.where } as const;
  const found = `${Math.round(skewMs)} ms from the primary`;
  const advice =
    'Keep the clocks of both machines by NTP: `chronyc tracking` or `timedatectl timesync-status` says how far each is off.';
  return [grade(subject, skewMs, limits.clockSkewMs, found, advice)];
};

async function readClock({ ask }: Server): Promise<number> {
  const [row] = await ask<{ ms: number }>(clockSql);
  if (row === undefined) throw new Error('the server said nothing of its clock');
  return row.ms;
}
