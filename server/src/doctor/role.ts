import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const roleSql = `
  select quote_ident(current_user) as "role", rolsuper as "isSuperuser", oid = 10 as "isFirst", quote_ident(current_database()) as "database", rolbypassrls or rolcreaterole or rolcreatedb as "hasMore",
         extract(epoch from rolvaliduntil - clock_timestamp())::float8 / 86400 as days,
         current_setting('password_encryption') as encryption
  from pg_roles where rolname = current_user`;

interface Role {
  readonly role: string;
  readonly isSuperuser: boolean;
  /** Created by initdb; always a superuser. */
  readonly isFirst: boolean;
  readonly database: string;
  /** Whether it has privileges that Messenger never needs. */
  readonly hasMore: boolean;
  /** Until its password expires; null for never, infinite for `infinity`. */
  readonly days: number | null;
  readonly encryption: string;
}

/** Early enough to act. */
const daysBefore = 30;

/** Checks for excessive privileges of our role, and for an expiring password. */
export const checkRole: ServerCheck = async (server, { isEmbedded, expected }) => {
  const { where } = server;
  const subject = { check: 'role', where } as const;
  const row = await askOne<Role>(server, roleSql);
  const { role, days } = row;
  const findings: Finding[] = [];
  if (row.isSuperuser && !isEmbedded)
    findings.push(warn(subject, `${role} is a superuser`, explainSuperuser(row, expected.tables)));
  else if (row.hasMore && !isEmbedded)
    findings.push(
      warn(
        subject,
        `${role} has more rights than it needs`,
        `On the primary: alter role ${role} nocreatedb nocreaterole nobypassrls.`,
      ),
    );
  if (days !== null && days < daysBefore) findings.push(gradeExpiry(where, role, days));
  if (row.encryption === 'md5')
    findings.push(
      warn(
        subject,
        'new passwords are stored as md5',
        `It is broken, and PostgreSQL will drop it: alter system set password_encryption = 'scram-sha-256'; select pg_reload_conf(); then set the passwords again.`,
      ),
    );
  return findings.length > 0 ? findings : [ok(subject, role)];
};

function explainSuperuser({ role, isFirst, database }: Role, tables: readonly string[]): string {
  const owned = [...tables, 'migrations'].map((table) => `alter table ${table} owner to messenger_app; `).join('');
  const remedy = isFirst
    ? `Make a role for Messenger: create role messenger_app login in role pg_monitor; alter database ${database} owner to messenger_app; ` +
      `${owned}then DB_WRITE_USER and DB_READ_USER`
    : `On the primary: alter role ${role} nosuperuser; grant pg_monitor to ${role}`;
  return `A compromise of Messenger would include the database server. ${remedy}.`;
}

function gradeExpiry(where: Finding['where'], role: string, days: number): Finding {
  const subject = { check: 'role', where } as const;
  const remedy = `On the primary: alter role ${role} valid until 'infinity'`;
  if (days < 0)
    return fail(subject, `the password of ${role} has expired`, `New connections with a password fail. ${remedy}.`);
  return warn(
    subject,
    `the password of ${role} expires in ${Math.floor(days)} days`,
    `Then new connections fail. ${remedy}.`,
  );
}
