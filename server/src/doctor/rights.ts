import type { Role, ServerCheck } from './about.ts';
import { askNames } from './ask.ts';
import { fail, ok, type Finding } from './finding.ts';

/** The privileges that our statements need, by server role. */
const needed: Readonly<Record<Role, readonly string[]>> = {
  primary: ['select', 'insert', 'update', 'delete'],
  standby: ['select'],
};

/** Tables by missing privilege. Inserts need the sequences of their columns. Names are quoted. */
const lackingSql = `
  with own as (
    select c.oid, format('%I.%I', nspname, relname) as name from pg_class c join pg_namespace n on n.oid = relnamespace
    where relname = any($1) and relkind in ('r', 'p') and nspname !~ '^pg_' and has_schema_privilege(n.oid, 'usage')),
  lacking as (
    select 'table' as kind, name, array(select right_ from unnest($2::text[]) right_ where not has_table_privilege(oid, right_)) as rights
    from own
    union all
    select 'sequence', format('%I.%I', nspname, s.relname), array['usage']
    from own join pg_depend on refobjid = own.oid and deptype in ('a', 'i') join pg_class s on s.oid = objid
         join pg_namespace n on n.oid = s.relnamespace
    where $3 and case when s.relkind = 'S' then not has_sequence_privilege(s.oid, 'usage') end)
  select kind, name, rights, quote_ident(current_user) as "role" from lacking where rights <> '{}' order by name`;

interface Lacking {
  readonly kind: 'table' | 'sequence';
  readonly name: string;
  readonly rights: readonly string[];
  readonly role: string;
}

/** Row security that applies to our role hides rows without an error. */
const hidingSql = `select oid::regclass::text as name from pg_class
  where relname = any($1) and relkind in ('r', 'p') and pg_table_is_visible(oid) and row_security_active(oid) order by 1`;

/** Checks that our role has the privileges that our statements need. */
export const checkRights: ServerCheck = async (server, { expected: { tables } }) => {
  const { where, role } = server;
  const subject = { check: 'rights', where } as const;
  const lacking = await server.ask<Lacking>(lackingSql, [tables, needed[role], role === 'primary']);
  const hiding = await askNames(server, hidingSql, [tables]);
  const findings: Finding[] = [
    ...lacking.map((one) =>
      fail(
        subject,
        `${one.role} has no ${one.rights.join(', ')} on ${one.name}`,
        `On the primary: grant ${one.rights.join(', ')} on ${one.kind} ${one.name} to ${one.role}.`,
      ),
    ),
    ...hiding.map((name) =>
      fail(
        subject,
        `row security hides rows of ${name} from our role`,
        `Messenger does not support row security: answers would be wrong. On the primary: alter table ${name} disable row level security.`,
      ),
    ),
  ];
  return findings.length > 0 ? findings : [ok(subject, `${needed[role].join(', ')} on ${tables.length} of our tables`)];
};
