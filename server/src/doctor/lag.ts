import { setTimeout as sleep } from 'node:timers/promises';

import type { PairCheck, Server } from './about.ts';
import { askNumber } from './ask.ts';
import { explainDelay } from './delay.ts';
import { fail, grade } from './finding.ts';

/** How often the standby is asked whether it has caught up, and for how long at most. In ms. */
const askEveryMs = 20;
const mostPatienceMs = 5_000;

/**
 * How late the standby is: how long it takes to replay what the primary had flushed when we asked. So it needs no clock of
 * theirs, and is 0 where nothing is written, unless the standby is told to be late.
 */
export const checkLag: PairCheck = async (primary, standby, { maxLagMs, limits }) => {
  const flushed = await askNumber(primary, flushedSql);
  const startedMs = performance.now();
  const behind = flushed - (await askNumber(standby, replayedSql));
  const patienceMs = Math.min(maxLagMs, mostPatienceMs);
  const hasCaughtUp = behind <= 0 || (await catchesUp(standby, flushed, startedMs + patienceMs));
  const measuredMs = behind <= 0 ? 0 : hasCaughtUp ? performance.now() - startedMs : patienceMs;
  const lagMs = Math.max(measuredMs, await askNumber(standby, intendedSql));
  const ahead = -behind - ((await askNumber(primary, flushedSql)) - flushed);
  const subject = { check: 'lag', where: standby.where } as const;
  if (ahead > 0) {
    const advice =
      'It follows another server, or the primary was restored from a backup: make the standby anew from this primary.';
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

/** Each commit is replayed so much later, in ms. */
const intendedSql = `select setting::float8 as value from pg_settings where name = 'recovery_min_apply_delay'`;
