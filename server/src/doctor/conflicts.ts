import type { Server } from './about.ts';
import { changeSetting } from './change-setting.ts';
import { ok, warn, type Finding } from './finding.ts';

const conflictsSql = `
  select confl_snapshot::int as rows, confl_lock::int as locks,
         (confl_tablespace + confl_bufferpin + confl_deadlock)::int as others, current_setting('hot_standby_feedback') = 'on' as feedback,
         current_setting('max_standby_streaming_delay') as patience
  from pg_stat_database_conflicts where datname = current_database()`;

interface Conflicts {
  /** Reads that needed rows removed by vacuum. */
  readonly rows: number;
  /** Reads that blocked a lock of the primary, such as that of a migration. */
  readonly locks: number;
  readonly others: number;
  readonly feedback: boolean;
  readonly patience: string;
}

/** Checks for reads cancelled by replay since the statistics reset. */
export const checkConflicts = async (server: Server): Promise<Finding[]> => {
  const [row] = await server.ask<Conflicts>(conflictsSql);
  const subject = { check: 'cancelled reads', where: server.where } as const;
  if (row === undefined || row.rows + row.locks + row.others === 0) return [ok(subject, 'none')];
  const causes = Object.entries({
    'by vacuum': row.rows,
    'by a lock of the primary': row.locks,
    otherwise: row.others,
  });
  const counts = causes.filter(([, count]) => count > 0).map(([cause, count]) => `${count} ${cause}`);
  const advice = `${await explain(server, row)}. The count begins anew with select pg_stat_reset().`;
  return [warn(subject, `since the statistics reset: ${counts.join(', ')}`, advice)];
};

/** Feedback keeps rows for reads; it does not help against locks. */
async function explain(server: Server, { rows, feedback, patience }: Conflicts): Promise<string> {
  if (rows > 0 && !feedback) return `On the standby: ${await changeSetting(server, 'hot_standby_feedback', 'on')}`;
  if (rows > 0) return 'Feedback is on; it has no effect while the standby is away: give it a slot (primary_slot_name)';
  return (
    `Reads of more than ${patience} (max_standby_streaming_delay) met \`alter table\`, \`drop\`, \`truncate\` or \`vacuum full\` on the primary: ` +
    'do these in quiet hours, and keep reads on the standby short'
  );
}
