import type { Server, ServerCheck } from './about.ts';
import { grantSight } from './access.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const settingsSql = `select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
  current_setting('full_page_writes') as pages, current_setting('synchronous_standby_names') as names,
  (select count(*)::int from pg_stat_replication where sync_state in ('sync', 'quorum')) as confirming,
  (select count(*)::int from pg_stat_replication where sync_state is null) as hidden, quote_ident(current_user) as "role"`;

interface Durability {
  readonly commit: string;
  readonly fsync: string;
  readonly pages: string;
  /** Standbys whose word a commit waits for; empty for none. */
  readonly names: string;
  /** Those of them that are there. */
  readonly confirming: number;
  /** Standbys that stream, and of which our role may not know more. */
  readonly hidden: number;
  readonly role: string;
}

/** What an acknowledged write is worth, in sessions like those of the server. */
export const checkDurability: ServerCheck = async ({ where, ask }) => {
  const [row] = await ask<Durability>(settingsSql);
  if (row === undefined) throw new Error('the server said nothing of its durability');
  return [gradeCommit(where, row.commit), gradeFiles(where, row), gradeConfirming(where, row)];
};

function gradeFiles(where: Server['where'], { fsync, pages }: Durability): Finding {
  const subject = { check: 'files survive a crash', where } as const;
  const off = [...(fsync === 'on' ? [] : ['fsync']), ...(pages === 'on' ? [] : ['full_page_writes'])];
  if (off.length === 0) return ok(subject, 'fsync on, full_page_writes on');
  const advice = `A crash of the machine can destroy the whole database: ${off.map(setOn).join('; ')}; select pg_reload_conf().`;
  return fail(subject, `fsync ${fsync}, full_page_writes ${pages}`, advice);
}

function setOn(name: string): string {
  return `alter system set ${name} = on`;
}

function gradeCommit(where: Server['where'], commit: string): Finding {
  const subject = { check: 'durability', where } as const;
  if (commit !== 'off') return ok(subject, `synchronous_commit ${commit}: a write that was answered is on disk`);
  const advice = `A crash loses up to 600 ms of answered writes. If that was not chosen: ${setOn('synchronous_commit')}; select pg_reload_conf().`;
  return warn(subject, 'synchronous_commit off', advice);
}

/** A commit that waits for a standby waits for ever when none is there. */
function gradeConfirming(where: Server['where'], { names, commit, confirming, hidden, role }: Durability): Finding {
  const subject = { check: 'synchronous standbys', where } as const;
  const waits = names !== '' && !['off', 'local'].includes(commit);
  if (!waits) return ok(subject, 'commits wait for none');
  if (confirming > 0) return ok(subject, `${confirming} confirm commits`);
  if (hidden > 0)
    return warn(subject, 'commits wait for a standby; who confirms is hidden from our role', grantSight(role));
  const advice =
    "Writes hang. Start the standby, or: alter system set synchronous_standby_names = ''; select pg_reload_conf().";
  return fail(subject, 'commits wait for a standby, and none is there', advice);
}
