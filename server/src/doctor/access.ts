import type { ServerCheck } from './about.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const accessSql = `
  select pg_has_role(current_user, 'pg_monitor', 'usage') as "seesAll",
         (select rolconnlimit from pg_roles where rolname = current_user) as "ofRole",
         (select datconnlimit from pg_database where datname = current_database()) as "ofDatabase"`;

interface Access {
  readonly seesAll: boolean;
  /** -1 is no limit. */
  readonly ofRole: number;
  readonly ofDatabase: number;
}

/** What our role may see, and how many connections it and the database may have. */
export const checkAccess: ServerCheck = async ({ role: where, ask }, { plannedConnections }) => {
  const [access] = await ask<Access>(accessSql);
  if (access === undefined) throw new Error('the server said nothing of our role');
  const advice =
    'grant pg_monitor to our role: without it the other sessions are hidden, and lines of this report say too little.';
  const subject = { check: 'what we may see', where };
  return [
    access.seesAll ? ok(subject, 'everything') : warn(subject, 'only our own sessions', advice),
    gradeLimit(where, access, plannedConnections[where]),
  ];
};

function gradeLimit(where: 'primary' | 'standby', { ofRole, ofDatabase }: Access, planned: number): Finding {
  const subject = { check: 'connection limits', where };
  const limits = [ofRole, ofDatabase].filter((limit) => limit >= 0);
  const least = Math.min(...limits);
  if (limits.length === 0) return ok(subject, 'none for our role and the database');
  const found = `our role and the database allow ${least}, the workers may open ${planned}`;
  if (least >= planned) return ok(subject, found);
  return fail(subject, found, '`alter role … connection limit -1`, the same for the database, or smaller pools.');
}
