import type { ServerCheck } from './about.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { areHidden, findOwnTables } from './own-tables.ts';

/** Objects that no migration creates. The triggers of foreign keys are internal. */
const oddSql = `
  with own as (select oid, oid::regclass::text as name from pg_class
               where relname = any($1) and relkind in ('r', 'p') and pg_table_is_visible(oid))
  select 'trigger' as kind, quote_ident(tgname) as name, own.name as "table" from own join pg_trigger on tgrelid = own.oid
   where not tgisinternal
  union all
  select 'disabled', '', own.name from own join pg_trigger on tgrelid = own.oid
   where tgisinternal and tgenabled = 'D' group by own.name
  union all
  select 'rule', quote_ident(rulename), own.name from own join pg_rewrite on ev_class = own.oid
  union all
  select 'unchecked', quote_ident(conname), own.name from own join pg_constraint on conrelid = own.oid
   where not convalidated or not conenforced
  union all
  select 'event', quote_ident(evtname), '' from pg_event_trigger where evtenabled <> 'D'
  union all
  select 'constraint', missing, '' from unnest($2::text[]) missing where not exists (select from pg_constraint where conname = missing)
  order by 1, 2`;

interface Odd {
  readonly kind: keyof typeof explanations;
  /** Quoted. */
  readonly name: string;
  readonly table: string;
}

const explanations = {
  constraint: ({ name }: Odd) => [
    fail,
    `the constraint ${name} is gone`,
    `Rows that it forbids can be written. Create it again as in the migrations: server/migrations, \`constraint ${name}\`.`,
  ],
  disabled: ({ table }: Odd) => [
    fail,
    `foreign keys of ${table} are not checked`,
    `alter table ${table} enable trigger all; then find rows that violate them.`,
  ],
  event: ({ name }: Odd) => [
    warn,
    `the event trigger ${name} runs at migrations or logins`,
    `When it fails, a migration or each connection fails. If it is not needed: alter event trigger ${name} disable.`,
  ],
  rule: ({ name, table }: Odd) => [
    fail,
    `the rule ${name} rewrites statements on ${table}`,
    `Writes may have other effects, and row counts may be wrong: drop rule ${name} on ${table}.`,
  ],
  trigger: ({ name, table }: Odd) => [
    warn,
    `the trigger ${name} on ${table} is not from a migration`,
    `It runs in each write, which may fail or store other values. If it is not needed: drop trigger ${name} on ${table}.`,
  ],
  unchecked: ({ name, table }: Odd) => [
    warn,
    `the constraint ${name} of ${table} does not hold for all rows`,
    `Existing rows may violate it: alter table ${table} validate constraint ${name}.`,
  ],
} as const satisfies Readonly<Record<string, (odd: Odd) => readonly [typeof fail, string, string]>>;

/** Checks that nobody has added objects to our tables. */
export const checkByHand: ServerCheck = async (server, about) => {
  const subject = { check: 'changed by hand', where: server.where } as const;
  const own = await findOwnTables(server, about);
  if (areHidden(own) || own.length === 0) return [ok(subject, 'nothing to check')];
  const { tables, constraints } = about.expected;
  const odd = await server.ask<Odd>(oddSql, [tables, constraints]);
  const findings = odd.map((one): Finding => {
    const [grade, found, advice] = explanations[one.kind](one);
    return grade(subject, found, advice);
  });
  return findings.length > 0 ? findings : [ok(subject, 'nothing')];
};
