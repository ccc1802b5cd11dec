import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before } from 'node:test';

import type { QueryResultRow } from 'pg';

import type { Endpoint, EndpointPair } from '../src/db/endpoint.ts';
import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { waitFor } from './wait-for.ts';

/** Set by global-setup.ts: this run's two servers, as JSON. */
export const serversVariable = 'MESSENGER_TEST_SERVERS';
/** Set by tests through a pooler: its address for each server, as JSON. */
export const poolerVariable = 'MESSENGER_TEST_POOLER';
/** Migrated, empty, and without connections. */
export const templateDatabase = 'messenger';

const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

/** A separate database on primary and standby, dropped after the file's tests. */
export interface TestDatabase {
  /** Of the two servers, or of the poolers before them. */
  readonly endpoints: EndpointPair;
  /** Always of the two servers. */
  readonly direct: EndpointPair;
  /** Runs one statement on the primary as superuser, in its own session. */
  sql<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The same on the standby. */
  sqlOnStandby<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Resolves when the standby has replayed everything committed on the primary so far. */
  replicated(): Promise<void>;
}

/** The database, while tests run. Hooks of one level do not wait for one another, hence the two others. */
export type DatabaseFixture = (() => TestDatabase) & {
  readonly created: Promise<TestDatabase>;
  /** For what holds sessions: it must be closed before the database can be dropped. */
  readonly beforeDrop: (cleanUp: () => Promise<void>) => void;
};

/**
 * Copies the template for the tests of this file, and drops the copy after them. Sessions that a test left open fail
 * the file: they are leaks.
 */
export function useDatabase(): DatabaseFixture {
  let database: TestDatabase | undefined;
  const name = `test_${randomBytes(6).toString('hex')}`;
  const { promise: created, resolve, reject } = Promise.withResolvers<TestDatabase>();
  before(async () => {
    create(name).then(resolve, reject);
    database = await created;
  });
  const cleanups: (() => Promise<void>)[] = [];
  after(async () => {
    for (const cleanUp of cleanups.toReversed()) await cleanUp();
    if (database !== undefined) await drop(name);
  });
  const current = (): TestDatabase => {
    assert(database, 'the database is there only while tests run');
    return database;
  };
  return Object.assign(current, { created, beforeDrop: (cleanUp: () => Promise<void>) => cleanups.push(cleanUp) });
}

function readServers(): EndpointPair {
  const text = process.env[serversVariable];
  assert(text !== undefined, `run these tests with npm test, or with --test-global-setup=server/test/global-setup.ts`);
  const servers: unknown = JSON.parse(text);
  assert(isEndpoints(servers));
  return servers;
}

function isEndpoints(value: unknown): value is EndpointPair {
  return typeof value === 'object' && value !== null && 'write' in value && 'read' in value;
}

async function query<Row extends QueryResultRow>(
  endpoint: Endpoint,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  return await withClient(
    { ...endpoint, user: roles.superuser },
    session,
    async (client) => (await client.query<Row>(text, [...values])).rows,
  );
}

async function create(name: string): Promise<TestDatabase> {
  const { write, read } = readServers();
  const maintenance = { ...write, database: 'postgres' };
  await query(maintenance, `create database ${name} template ${templateDatabase}`, []);
  const direct = { write: { ...write, database: name }, read: { ...read, database: name } };
  const replicated = async (): Promise<void> => {
    const [now] = await query<{ lsn: string }>(maintenance, 'select pg_current_wal_flush_lsn()::text as lsn', []);
    await waitFor('the standby to catch up', async () => {
      const standby = { ...read, database: 'postgres' };
      const [row] = await query<{ done: boolean }>(standby, 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [
        now?.lsn,
      ]);
      return row?.done === true;
    });
  };
  await replicated();
  return {
    endpoints: throughPooler(direct),
    direct,
    sql: async (text, values = []) => query(direct.write, text, values),
    sqlOnStandby: async (text, values = []) => query(direct.read, text, values),
    replicated,
  };
}

function throughPooler({ write, read }: EndpointPair): EndpointPair {
  const text = process.env[poolerVariable];
  if (text === undefined) return { write, read };
  const pooler: unknown = JSON.parse(text);
  assert(isEndpoints(pooler));
  return { write: { ...write, ...pooler.write }, read: { ...read, ...pooler.read } };
}

async function drop(name: string): Promise<void> {
  const { write, read } = readServers();
  for (const endpoint of [write, read]) {
    const maintenance = { ...endpoint, database: 'postgres' };
    let open: { application_name: string }[] = [];
    const closed = async (): Promise<boolean> => {
      open = await query(maintenance, 'select application_name from pg_stat_activity where datname = $1', [name]);
      return open.length === 0;
    };
    // A pooler's sessions are not leaks.
    if (process.env[poolerVariable] !== undefined) break;
    await waitFor('sessions to close', closed, 10_000).catch(() => {
      assert.fail(`these sessions were left open: ${open.map((one) => one.application_name).join(', ')}`);
    });
  }
  await query({ ...write, database: 'postgres' }, `drop database ${name} with (force)`, []);
}
