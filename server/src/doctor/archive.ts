import type { ServerCheck } from './about.ts';
import { askNumber, askOne } from './ask.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, warn } from './finding.ts';

const archiveSql = `
  select current_setting('archive_mode') as mode,
         current_setting('archive_command') <> '' or current_setting('archive_library') <> '' as "hasCommand",
         coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing,
         failed_count::int as failures, last_failed_wal as failed, last_archived_wal as archived,
         has_function_privilege('pg_ls_archive_statusdir()', 'execute') as "mayCount"
  from pg_stat_archiver`;

/** The command is not printed: it may contain a password. */
interface Archive {
  readonly mode: 'off' | 'on' | 'always';
  readonly hasCommand: boolean;
  /** Whether the newest attempt failed. */
  readonly failing: boolean;
  readonly failures: number;
  readonly failed: string | null;
  readonly archived: string | null;
  readonly mayCount: boolean;
}

const waitingSql = `select count(*)::int as value from pg_ls_archive_statusdir() where name like '%.ready'`;

/** Pending segments of 16 MB: a sign that the archive is slower than the writes, or hangs. */
const manyWaiting = 32;

/** The primary keeps WAL that is not archived, without a limit. */
export const checkArchive: ServerCheck = async (server) => {
  const { where } = server;
  const archive = await askOne<Archive>(server, archiveSql);
  const subject = { check: 'archiving', where } as const;
  if (archive.mode === 'off') return [ok(subject, 'off')];
  if (!archive.hasCommand) {
    const advice = `WAL is kept for ever and fills the disk. Set archive_command, or: ${await changeSetting(server, 'archive_mode', 'off')}.`;
    return [fail(subject, `archive_mode is ${archive.mode}, and archive_command is empty`, advice)];
  }
  if (archive.failing) {
    const advice =
      'WAL is kept until it is archived and fills the disk, and backups cannot be restored beyond it. ' +
      "The server's log has the command's own error: fix archive_command, its target or its rights.";
    return [fail(subject, `${archive.failed} was not archived, ${archive.failures} attempts failed`, advice)];
  }
  const count = archive.mayCount ? await askNumber(server, waitingSql) : 0;
  if (count < manyWaiting) return [ok(subject, archive.archived === null ? 'on' : `up to ${archive.archived}`)];
  const advice = 'The archive is slower than the writes, or archive_command hangs: check its target and its process.';
  return [warn(subject, `${count} segments of WAL are not archived yet`, advice)];
};
