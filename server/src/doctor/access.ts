import type { Server, ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const accessSql = `
  select pg_has_role(current_user, 'pg_monitor', 'usage') as "seesAll", current_setting('track_activities') = 'on' as "tracks", quote_ident(current_user) as "role",
         quote_ident(current_database()) as "database",
         (select rolconnlimit from pg_roles where rolname = current_user) as "ofRole",
         (select datconnlimit from pg_database where datname = current_database()) as "ofDatabase"`;

interface Access {
  readonly seesAll: boolean;
  /** Setting `track_activities`. */
  readonly tracks: boolean;
  readonly role: string;
  readonly database: string;
  /** -1 is no limit. */
  readonly ofRole: number;
  readonly ofDatabase: number;
}

/** The advice when something is hidden from this role, whose name is quoted. */
export function grantSight(role: string): string {
  return `On the primary: grant pg_monitor to ${role}.`;
}

/** Checks what our role may see, and the connection limits of the role and the database. */
export const checkAccess: ServerCheck = async (server, { plannedConnections }) => {
  const { where, role } = server;
  const access = await askOne<Access>(server, accessSql);
  const advice = `${grantSight(access.role)} Without it the other sessions are hidden, and this report is incomplete.`;
  const subject = { check: 'visibility', where } as const;
  const untracked = access.tracks ? [] : [await explainUntracked(server)];
  return [
    ...untracked,
    access.seesAll ? ok(subject, 'everything') : warn(subject, 'only our own sessions', advice),
    gradeLimit(where, access, plannedConnections[role]),
  ];
};

async function explainUntracked(server: Server): Promise<Finding> {
  const change = await changeSetting(server, 'track_activities', 'on');
  const advice = `The activity of sessions is unknown, and this report is incomplete: ${change}.`;
  return warn({ check: 'visibility', where: server.where }, 'track_activities is off', advice);
}

function gradeLimit(
  where: Server['where'],
  { role, database, ofRole, ofDatabase }: Access,
  planned: number | undefined,
): Finding {
  const subject = { check: 'connection limits', where } as const;
  const limits = [ofRole, ofDatabase].filter((limit) => limit >= 0);
  const least = Math.min(...limits);
  if (limits.length === 0) return ok(subject, 'none for our role and the database');
  if (planned === undefined) return ok(subject, `our role and the database allow ${least}`);
  const found = `our role and the database allow ${least}, the workers may open ${planned}`;
  if (least >= planned) return ok(subject, found);
  const lift = ofRole === least ? `alter role ${role}` : `alter database ${database}`;
  return fail(subject, found, `On the primary: ${lift} connection limit -1; or smaller pools.`);
}
