import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { changeSetting } from './change-setting.ts';
import { fail, grade, ok, warn, type Finding } from './finding.ts';

const databaseSql = `
  select deadlocks::int, temp_files::int as "tempFiles", (temp_bytes / 2 ^ 20)::float8 as "tempMegabytes",
         coalesce(checksum_failures, 0)::int as "damaged", current_setting('data_checksums') as checksums,
         current_setting('work_mem') as "workMem"
  from pg_stat_database where datname = current_database()`;

interface Counted {
  readonly deadlocks: number;
  readonly tempFiles: number;
  readonly tempMegabytes: number;
  readonly damaged: number;
  readonly checksums: string;
  readonly workMem: string;
}

const again = 'The count begins anew with select pg_stat_reset()';

/** This server's counters of our database since the statistics reset. */
export const checkCounts: ServerCheck = async (server, { limits }) => {
  const { where } = server;
  const counted = await askOne<Counted>(server, databaseSql);
  const { tempFiles, tempMegabytes, workMem } = counted;
  const spilled = `${tempFiles} temporary files, ${Math.round(tempMegabytes)} MB, with work_mem ${workMem}`;
  return [
    gradeChecksums(where, counted),
    gradeDeadlocks(where, counted.deadlocks),
    grade(
      { check: 'temporary files', where },
      tempMegabytes,
      { warn: limits.tempMegabytes, fail: Number.POSITIVE_INFINITY },
      tempFiles === 0 ? 'none' : spilled,
      `Sorts and hashes that do not fit into work_mem are on disk: \`messenger tune\` prints what fits into the memory. ${again}.`,
    ),
  ];
};

function gradeChecksums(where: Finding['where'], { damaged, checksums }: Counted): Finding {
  const subject = { check: 'checksums', where } as const;
  if (damaged > 0) {
    const advice =
      'The disk or the memory of this machine damages data: test both, and restore the damaged table from a backup or rebuild this server ' +
      `from the other one. The server's log names the pages. ${again}.`;
    return fail(subject, `${damaged} pages were damaged when they were read`, advice);
  }
  if (checksums === 'on') return ok(subject, 'on, no page was damaged');
  const advice =
    'Damage by the disk is not detected, and is copied to standbys and backups. With the server stopped: pg_checksums --enable.';
  return warn(subject, 'off', advice);
}

function gradeDeadlocks(where: Finding['where'], deadlocks: number): Finding {
  const subject = { check: 'deadlocks', where } as const;
  if (deadlocks === 0) return ok(subject, 'none');
  const advice = `Messenger takes its locks in one order: another program writes to its tables. The server's log has both statements. ${again}.`;
  return warn(subject, `${deadlocks} since the statistics reset`, advice);
}

const checkpointsSql = `select num_timed::int as timed, num_requested::int as requested, current_setting('max_wal_size') as "most"
  from pg_stat_checkpointer`;

/** Checkpoints before their time rewrite recently written pages, and add full-page images to the WAL. */
export const checkCheckpoints: ServerCheck = async (server, { limits }) => {
  const row = await askOne<{ timed: number; requested: number; most: string }>(server, checkpointsSql);
  const { timed, requested, most } = row;
  const subject = { check: 'checkpoints', where: server.where } as const;
  const found = `${requested} requested, ${timed} by time, max_wal_size ${most}`;
  if (requested < limits.requestedCheckpoints || requested <= timed) return [ok(subject, found)];
  const change = await changeSetting(server, 'max_wal_size', '4GB');
  const advice = `The log fills before the time of the next checkpoint: ${change}; \`messenger tune\` prints the size for a machine. The count begins anew with select pg_stat_reset_shared('checkpointer').`;
  return [warn(subject, found, advice)];
};
