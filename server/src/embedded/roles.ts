import pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { roles } from './settings.ts';

const findRole = 'select 1 from pg_roles where rolname = $1';
const findDatabase = 'select 1 from pg_database where datname = $1';

/** Attributes by role. Roles cannot be created conditionally. */
const attributes = [
  [roles.application, 'login nosuperuser nocreatedb nocreaterole noreplication'],
  [roles.replication, 'login nosuperuser nocreatedb nocreaterole replication'],
] as const;

/** Creates missing roles. The application may read what /metrics and `messenger doctor` show. */
export async function ensureRoles(client: pg.Client): Promise<void> {
  for (const [name, may] of attributes) {
    const { rowCount } = await client.query(findRole, [name]);
    if (rowCount === 0) await client.query(`create role ${name} ${may}`);
  }
  await client.query(`grant pg_monitor to ${roles.application}`);
}

/** Creates the endpoint's database if it is missing. */
export async function ensureDatabase(client: pg.Client, endpoint: Endpoint): Promise<void> {
  const { rowCount } = await client.query(findDatabase, [endpoint.database]);
  if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(endpoint.database)}`);
}

/** Whether the superuser still owns the schema, as in a new database and in those of versions up to 0.1. */
const findFormerOwner = `select 1 from pg_namespace where nspname = 'public' and nspowner <> '${roles.application}'::regrole`;

/**
 * Statements that give the schema's objects to the application. `reassign owned` refuses the bootstrap superuser.
 * Sequences of columns and types of tables follow their tables; objects of extensions stay.
 */
const listTransfers = `
  select format('alter %s %s owner to ${roles.application}', kind, name) as statement from (
    select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
             when 'f' then 'foreign table' when 'c' then 'type' else 'table' end as kind,
      oid::regclass::text as name, 'pg_class'::regclass as catalog, oid, relnamespace as namespace
    from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    union all
    select 'routine', oid::regprocedure::text, 'pg_proc'::regclass, oid, pronamespace from pg_proc
    union all
    select case typtype when 'd' then 'domain' else 'type' end, oid::regtype::text, 'pg_type'::regclass, oid, typnamespace
    from pg_type where typtype in ('d', 'e', 'r')
  ) as owned
  where namespace = 'public'::regnamespace
    and not exists (select from pg_depend where classid = catalog and objid = owned.oid and deptype in ('a', 'e', 'i'))`;

/** Makes the application the owner of the schema `public` and its objects, and of nothing else. */
export async function giveSchema(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query(findFormerOwner);
  if (rowCount === 0) return;
  const { rows } = await client.query<{ statement: string }>(listTransfers);
  const statements = [...rows.map((row) => row.statement), `alter schema public owner to ${roles.application}`];
  await client.query(['begin', ...statements, 'commit'].join(';\n'));
}
