import type { ServerCheck } from './about.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const settingsSql = `select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
  current_setting('full_page_writes') as pages`;

/** What an acknowledged write is worth, in sessions like those of the server. */
export const checkDurability: ServerCheck = async ({ role: where, ask }) => {
  const [row] = await ask<{ commit: string; fsync: string; pages: string }>(settingsSql);
  return row === undefined ? [] : [gradeFiles(where, row), gradeCommit(where, row.commit)];
};

function gradeFiles(where: 'primary' | 'standby', { fsync, pages }: { fsync: string; pages: string }): Finding {
  const subject = { check: 'files survive a crash', where };
  if (fsync === 'on' && pages === 'on') return ok(subject, 'fsync on, full_page_writes on');
  const advice = 'A crash of the machine can destroy the whole database. Set both to on.';
  return fail(subject, `fsync ${fsync}, full_page_writes ${pages}`, advice);
}

function gradeCommit(where: 'primary' | 'standby', commit: string): Finding {
  const subject = { check: 'durability', where };
  if (commit !== 'off') return ok(subject, `synchronous_commit ${commit}: a write that was answered is on disk`);
  const advice = 'A crash loses up to 600 ms of answered writes. If that was not chosen, set synchronous_commit = on.';
  return warn(subject, 'synchronous_commit off', advice);
}
