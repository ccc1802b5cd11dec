import pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { publicationName } from '../feed/feed.ts';
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

const findPublication = 'select 1 from pg_publication where pubname = $1';

/** Makes the application the owner of the schema `public` and of the publication, and of nothing else. */
export async function giveSchema(client: pg.Client): Promise<void> {
  await client.query(`alter schema public owner to ${roles.application}`);
  // The application may fill it, but not create one: that takes the right to create schemas.
  const { rowCount } = await client.query(findPublication, [publicationName]);
  if (rowCount === 0) await client.query(`create publication ${publicationName}`);
  await client.query(`alter publication ${publicationName} owner to ${roles.application}`);
}
