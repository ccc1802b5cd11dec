import { setTimeout as sleep } from 'node:timers/promises';

import type { PairCheck, Server } from './about.ts';
import { askNumber } from './ask.ts';
import { explainDelay } from './delay.ts';
import { fail, grade } from './finding.ts';

const askEveryMs = 20;

/**
 * Replication lag: how long the standby takes to replay what the primary had flushed at our query. So it needs no server clock,
 * and is 0 without writes, unless the standby has a configured delay.
 */
export const checkLag: PairCheck = async (primary, standby, { maxLagMs, limits }) => {
  const flushed = await askNumber(primary, flushedSql);
  const startedMs = performance.now();
  const behind = flushed - (await askNumber(standby, replayedSql));
  const patienceMs = Math.min(maxLagMs, limits.patienceMs);
  const hasCaughtUp = behind <= 0 || (await catchesUp(standby, flushed, startedMs + patienceMs));
  const measuredMs = behind <= 0 ? 0 : hasCaughtUp ? performance.now() - startedMs : patienceMs;
  const lagMs = Math.max(measuredMs, await askNumber(standby, intendedSql));
  const ahead = -behind - ((await askNumber(primary, flushedSql)) - flushed);
  const subject = { check: 'lag', where: standby.where } as const;
  if (ahead > 0) {
    const advice =
      'It follows another server, or the primary was restored from a backup: rebuild the standby from this primary.';
    return [fail(subject, `${ahead} bytes ahead of the primary`, advice)];
  }
  const bytes = `${Math.max(0, behind)} bytes`;
  const seen = hasCaughtUp
    ? `${bytes}, ${Math.round(measuredMs)} ms`
    : `${bytes}, not replayed within ${patienceMs} ms`;
  const bounds = { warn: Math.min(limits.warnLagMs, maxLagMs), fail: maxLagMs };
  if (lagMs < bounds.warn) return [grade(subject, lagMs, bounds, seen, '')];
  const { cause, remedy } = await explainDelay(standby, flushed);
  const advice = `${remedy}. Beyond ${maxLagMs} ms (DB_READ_MAX_LAG_MS) all reads go to the primary, before that those with a newer token.`;
  return [grade(subject, lagMs, bounds, `${seen}: ${cause}`, advice)];
};

async function catchesUp(standby: Server, flushed: number, deadlineMs: number): Promise<boolean> {
  while (performance.now() < deadlineMs) {
    await sleep(askEveryMs);
    if ((await askNumber(standby, replayedSql)) >= flushed) return true;
  }
  return false;
}

const flushedSql = `select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::float8 as value`;
const replayedSql = `select coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::float8 as value`;

/** The configured delay of each commit's replay, in ms. */
const intendedSql = `select setting::float8 as value from pg_settings where name = 'recovery_min_apply_delay'`;
