import type { ServerCheck } from './about.ts';
import { grade, ok } from './finding.ts';

/**
 * Ages in transactions. A standby with feedback holds rows for its reads; a slot holds them even while the standby is
 * disconnected.
 */
const heldSql = `
  select case when active then 'a read on the standby of the slot ' else 'the slot ' end || slot_name as holder,
         greatest(age(xmin), age(catalog_xmin))::float8 as age, case when active then 'standby' else 'slot' end as kind
    from pg_replication_slots where coalesce(xmin, catalog_xmin) is not null and (not active or slot_type = 'physical')
  union all
  select 'a read on the standby ' || left(application_name, 30), age(backend_xmin)::float8, 'standby'
    from pg_stat_replication where backend_xmin is not null
  order by 2 desc, 3 limit 1`;

interface Holder {
  readonly holder: string;
  readonly age: number;
  readonly kind: 'slot' | 'standby';
}

/** Checks what other than a session of the primary prevents vacuum from removing rows. */
export const checkHeldRows: ServerCheck = async ({ where, ask }, { limits }) => {
  const subject = { check: 'rows held for others', where } as const;
  const [held] = await ask<Holder>(heldSql);
  if (held === undefined) return [ok(subject, 'none')];
  const found = `${held.holder} holds those of the last ${held.age} transactions`;
  const advice =
    held.kind === 'slot'
      ? 'Vacuum keeps them while its owner is away: start it, or drop the slot (see `replication slots`).'
      : 'Vacuum keeps them until that read ends: see `oldest transaction` of the standby.';
  return [grade(subject, held.age, limits.heldTransactions, found, advice)];
};
