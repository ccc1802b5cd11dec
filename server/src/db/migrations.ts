import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Client } from 'pg';

import { OperatorError } from '../lib/operator-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Endpoint } from './endpoint.ts';
import { assertMayCreate, explainMigration, migrationsTable, readApplied } from './migrations-table.ts';
import { withClient } from './session.ts';

/** Where migrations run: one session, without statement deadlines. */
export interface MigrationTarget {
  readonly endpoint: Endpoint;
  readonly dir: string;
  readonly connectTimeoutMs: number;
  readonly log: Log;
}

export interface MigrationStatus {
  readonly name: string;
  readonly applied: boolean;
}

/** Every migration with its state, in order. Rejects with `OperatorError` when the database is newer than this code. */
export async function migrationStatus(target: MigrationTarget): Promise<MigrationStatus[]> {
  return await session(target, async (client) => readMigrationStatus(client, target.dir));
}

/**
 * Applies pending migrations in one transaction, under an advisory lock, so servers that start concurrently wait for
 * one another. Resolves with their names. Rejects with `OperatorError` behind a pooler.
 */
export async function migrateUp(target: MigrationTarget): Promise<string[]> {
  return await session(target, async (client) => {
    const status = await readMigrationStatus(client, target.dir);
    if (status.every(({ applied }) => applied)) return [];
    return await run(client, target, 'up', undefined);
  });
}

/** Reverts the newest `count` migrations. Resolves with their names. */
export async function migrateDown(target: MigrationTarget, count: number): Promise<string[]> {
  return await session(target, async (client) => {
    await readMigrationStatus(client, target.dir);
    return await run(client, target, 'down', count);
  });
}

const migrationTemplate = '-- Up Migration\n\n\n-- Down Migration\n\n';

/** Creates an empty migration with the next number. Resolves with its path. */
export async function makeMigration(dir: string, title: string): Promise<string> {
  const slug = title
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, '_')
    .replaceAll(/^_+|_+$/gu, '');
  if (slug === '') throw new OperatorError('A migration needs a name of letters or digits.');
  const names = await listMigrations(dir);
  const last = Number.parseInt(names.at(-1) ?? '0', 10);
  const path = join(dir, `${String(last + 1).padStart(4, '0')}_${slug}.sql`);
  await writeFile(path, migrationTemplate, { flag: 'wx' });
  return path;
}

async function session<T>(
  { endpoint, connectTimeoutMs }: MigrationTarget,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  return await withClient(
    endpoint,
    { applicationName: 'messenger migrate', connectTimeoutMs, statementTimeoutMs: 0 },
    use,
  );
}

async function listMigrations(dir: string): Promise<string[]> {
  const files = await readdir(dir);
  return files
    .filter((file) => /^\d+_.*\.sql$/u.test(file))
    .map((file) => basename(file, '.sql'))
    .toSorted();
}

/** The same, in an open session. */
export async function readMigrationStatus(client: Client, dir: string): Promise<MigrationStatus[]> {
  const known = await listMigrations(dir);
  const applied = await readApplied(client, known);
  const unknown = applied.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw databaseIsNewer(unknown);
  return known.map((name) => ({ name, applied: applied.includes(name) }));
}

function databaseIsNewer(unknown: readonly string[]): OperatorError {
  return new OperatorError(
    `The database has migrations that this version does not know: ${unknown.join(', ')}. ` +
      'It was used with a newer version of Messenger: start that one, or restore a backup.',
  );
}

async function run(
  client: Client,
  { dir, log }: MigrationTarget,
  direction: 'up' | 'down',
  count: number | undefined,
): Promise<string[]> {
  await refusePooler(client);
  await assertMayCreate(client);
  // The standby may come up later, and the next start would migrate a schema lost in a failover again.
  await client.query('set synchronous_commit = local');
  // Loaded only if there is something to migrate, to keep other starts fast.
  const { runner } = await import('node-pg-migrate');
  const done = await runner({
    dbClient: client,
    dir,
    direction,
    migrationsTable,
    advisoryLockMode: 'wait',
    singleTransaction: true,
    ...(count === undefined ? {} : { count }),
    logger: {
      debug: () => undefined,
      info: (message: string) => log.debug(message),
      warn: (message: string) => log.warn(message),
      error: (message: string) => log.error(message),
    },
  }).catch((error: unknown) => {
    throw explainMigration(error);
  });
  return done.map(({ name }) => name);
}

/**
 * A pooler may run each statement in another session of the server: the lock would be taken in one, and released in
 * another. It is recognised by its greeting, which has a process id of its own.
 */
async function refusePooler(client: Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  if ('processID' in client && client.processID === rows[0]?.pid) return;
  throw new OperatorError(
    'The schema must be migrated, but the connection to the write database goes through a pooler, where the lock that ' +
      'this needs cannot be held. Let DB_WRITE_HOST and DB_WRITE_PORT name the primary itself for one run of ' +
      '`messenger migrate up`, then start again.',
  );
}
