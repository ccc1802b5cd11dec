import type { AskedServer } from '../db/asked-server.ts';
import type { PairCheck } from './about.ts';
import { grade, type Limits } from './finding.ts';

/** In ms. Lag is the difference of two clocks, and times of rows are the primary's. */
const limits: Limits = { warn: 500, fail: 5_000 };

const clockSql = `select extract(epoch from clock_timestamp()) * 1000::float8 as ms`;

/** Whether the two servers agree about the time. What the network takes is not counted as a difference. */
export const checkClocks: PairCheck = async (primary, standby) => {
  const before = await readClock(primary);
  const between = await readClock(standby);
  const after = await readClock(primary);
  const skewMs = Math.max(0, before - between, between - after);
  return [
    grade(
      { check: 'clock skew', where: 'both' },
      skewMs,
      limits,
      `${Math.round(skewMs)} ms`,
      'Keep the clocks of both machines with NTP (chrony, systemd-timesyncd).',
    ),
  ];
};

async function readClock({ ask }: AskedServer): Promise<number> {
  const [row] = await ask<{ ms: number | string }>(clockSql);
  return Number(row?.ms);
}
