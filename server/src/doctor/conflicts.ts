import type { Server } from './about.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Reads that replay has cancelled since the statistics began. */
export const checkConflicts = async ({ where, ask }: Server): Promise<Finding[]> => {
  const sql = `select (confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock)::int as count
    from pg_stat_database_conflicts where datname = current_database()`;
  const [row] = await ask<{ count: number }>(sql);
  const subject = { check: 'cancelled reads', where } as const;
  const count = row?.count ?? 0;
  if (count === 0) return [ok(subject, 'none')];
  const advice =
    'On the standby: alter system set hot_standby_feedback = on; select pg_reload_conf(); and keep statements there short. ' +
    'The count begins anew with select pg_stat_reset().';
  return [warn(subject, `${count} since the statistics began`, advice)];
};
