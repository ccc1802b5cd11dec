import { countNeeded } from '../db/standby-durability.ts';
import type { About, Server, ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { grantSight } from './access.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const settingsSql = `select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
  current_setting('full_page_writes') as pages, current_setting('synchronous_standby_names') as names,
  (select count(*)::int from pg_stat_replication where sync_state in ('sync', 'quorum') and state = 'streaming') as confirming,
  (select count(*)::int from pg_stat_replication where sync_state is null) as hidden, quote_ident(current_user) as "role"`;

interface Durability {
  readonly commit: string;
  readonly fsync: string;
  readonly pages: string;
  /** Standbys that commits wait for; empty for none. */
  readonly names: string;
  /** The synchronous standbys that stream. */
  readonly confirming: number;
  /** Streaming standbys whose details our role cannot see. */
  readonly hidden: number;
  readonly role: string;
}

/** Values set by `alter role` and `alter database` for our role in our database. Messenger's sessions override them. */
const carriedSql = `
  select format('alter %s', case when setrole = 0 then format('database %I', current_database())
           when setdatabase = 0 then format('role %I', current_user)
           else format('role %I in database %I', current_user, current_database()) end) as carrier,
         split_part(setting, '=', 2) as value
  from pg_db_role_setting, unnest(setconfig) setting
  where split_part(setting, '=', 1) = 'synchronous_commit'
    and setrole in (0, current_user::regrole) and setdatabase in (0, (select oid from pg_database where datname = current_database()))`;

interface Carried {
  /** The beginning of the statement that changes it; names are quoted. */
  readonly carrier: string;
  readonly value: string;
}

/** Checks what a commit waits for, in sessions like those of the server. */
export const checkDurability: ServerCheck = async (server, { durability }) => {
  const row = await askOne<Durability>(server, settingsSql);
  const carried = await server.ask<Carried>(carriedSql);
  return [
    gradeCommit(server, row.commit),
    ...carried.filter(({ value }) => value === 'off' && row.commit !== 'off').map((one) => tellCarried(server, one)),
    await gradeFiles(server, row),
    await gradeConfirming(server, row, durability),
  ];
};

async function gradeFiles(server: Server, { fsync, pages }: Durability): Promise<Finding> {
  const subject = { check: 'crash safety', where: server.where } as const;
  const off = [...(fsync === 'on' ? [] : ['fsync']), ...(pages === 'on' ? [] : ['full_page_writes'])];
  if (off.length === 0) return ok(subject, 'fsync on, full_page_writes on');
  const changes = await Promise.all(off.map(async (name) => changeSetting(server, name, 'on')));
  const advice = `A crash of the machine can destroy the whole database: ${changes.join('; ')}.`;
  return fail(subject, `fsync ${fsync}, full_page_writes ${pages}`, advice);
}

function gradeCommit({ where }: Server, commit: string): Finding {
  const subject = { check: 'durability', where } as const;
  if (commit !== 'off') return ok(subject, `synchronous_commit ${commit}: an acknowledged write is on disk`);
  const advice =
    'A crash loses up to 600 ms of acknowledged writes. If that was not intended: MESSENGER_SYNCHRONOUS_COMMIT=on.';
  return warn(subject, 'synchronous_commit off', advice);
}

function tellCarried({ where }: Server, { carrier, value }: Carried): Finding {
  const subject = { check: 'durability', where } as const;
  const advice = `Messenger asks for its own value; commits of other programs with this role can be lost in a crash. On the primary: ${carrier} reset synchronous_commit.`;
  return warn(subject, `${carrier} set synchronous_commit = ${value}`, advice);
}

/** A commit that waits for more standbys than are streaming waits forever. */
async function gradeConfirming(server: Server, row: Durability, durability: About['durability']): Promise<Finding> {
  const { names, commit, confirming, hidden, role } = row;
  const subject = { check: 'synchronous standbys', where: server.where } as const;
  const needed = ['off', 'local'].includes(commit) ? 0 : countNeeded(names);
  if (durability === 'standby' && (needed === 0 || commit === 'remote_write'))
    return fail(
      subject,
      'DURABILITY is standby, and commits do not wait for its disk',
      await explainUnsafe(server, names),
    );
  if (needed === 0) return ok(subject, 'commits wait for none');
  if (confirming >= needed) return ok(subject, `${confirming} confirm commits, ${needed} needed`);
  if (hidden > 0)
    return warn(
      subject,
      'commits wait for a standby; the confirming standby is hidden from our role',
      grantSight(role),
    );
  const change = await changeSetting(server, 'synchronous_standby_names', '');
  const found = `commits wait for ${needed} standby${needed === 1 ? '' : 's'}, and ${confirming === 0 ? 'none' : confirming} is there`;
  const advice = `Writes hang. Start the standby that is missing (its application_name must match), or wait for none: ${change}.`;
  return fail(subject, found, advice);
}

async function explainUnsafe(server: Server, names: string): Promise<string> {
  const change =
    names === ''
      ? await changeSetting(server, 'synchronous_standby_names', 'ANY 1 (*)')
      : await changeSetting(server, 'synchronous_commit', 'on');
  return `The server refuses to start with this: a failover could lose acknowledged writes. On the primary, and on standbys that may be promoted: ${change}.`;
}
