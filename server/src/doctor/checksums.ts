import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { fail, ok, warn } from './finding.ts';

const checksumsSql = `select coalesce(checksum_failures, 0)::int as damaged, current_setting('data_checksums') as checksums
  from pg_stat_database where datname = current_database()`;

/** Checks that PostgreSQL detects damaged pages, and has found none since the statistics reset. */
export const checkChecksums: ServerCheck = async (server) => {
  const { damaged, checksums } = await askOne<{ damaged: number; checksums: string }>(server, checksumsSql);
  const subject = { check: 'checksums', where: server.where } as const;
  if (damaged > 0) {
    const advice =
      'The disk or the memory of this machine damages data: test both, and restore the damaged table from a backup or rebuild this server ' +
      "from the other one. The server's log names the pages. The count begins anew with select pg_stat_reset().";
    return [fail(subject, `${damaged} pages were damaged when they were read`, advice)];
  }
  if (checksums === 'on') return [ok(subject, 'on, no page was damaged')];
  const advice =
    'Damage by the disk is not detected, and is copied to standbys and backups. With the server stopped: pg_checksums --enable.';
  return [warn(subject, 'off', advice)];
};
