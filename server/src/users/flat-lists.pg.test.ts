/** The reason for each setting: docs/decisions/0009-lists-stay-flat.md. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { App } from '../app.ts';
import { encodeCursor } from '../lib/page-cursor.ts';

const database = useDatabase();
const firstPage = '/api/v1/users?limit=20';

/** With this number, 3000 are below autovacuum's default threshold of a fifth, and 560 lie in less than 2 % of the pages. */
const settledUsers = 60_000;
const manyUsers = 3_000;
const fewUsers = 560;

/** Longer than the reads of other test files delay vacuum. */
const vacuumMs = 30_000;

/** The servers that pages are read from. */
const servers = ['primary', 'standby'] as const;
type Server = (typeof servers)[number];
type PerServer = Readonly<Record<Server, number>>;
let apps: Readonly<Record<Server, App>> | undefined;

before(async () => {
  const own = await database.created;
  await own.sql('create extension pg_stat_statements');
  const options = { env: { DB_BATCHING: 'on' } };
  apps = {
    primary: await createTestApp({ write: own.endpoints.write, read: own.endpoints.write }, options),
    standby: await createTestApp(own.endpoints, options),
  };
});

database.beforeDrop(async () => {
  for (const app of Object.values(apps ?? {})) {
    await app.http.close();
    await app.close();
  }
});

beforeEach(async () => {
  const own = database();
  await own.sql('truncate users');
  await own.sql(`insert into users (first_name, last_name, created_at)
    select 'settled', n::text, now() - n * interval '1 second' from generate_series(1, ${settledUsers}) n`);
  await own.sql('vacuum analyze users');
  await own.replicated();
});

interface Counters {
  readonly calls: number;
  readonly buffers: number;
}

async function counters(server: Server): Promise<Counters> {
  const own = database();
  const text = `select coalesce(sum(calls) filter (where query like '%from users%'), 0)::int as calls,
            coalesce(sum(shared_blks_hit + shared_blks_read), 0)::int as buffers
       from pg_stat_statements join pg_database on dbid = pg_database.oid
      where datname = current_database() and query not like '%pg_stat%'`;
  const [row] = await (server === 'primary' ? own.sql<Counters>(text) : own.sqlOnStandby<Counters>(text));
  assert(row);
  return row;
}

/** Shared buffers read by the one statement of this call. The call is repeated when another test resets the counters. */
async function buffers(server: Server, act: () => Promise<unknown>, attempts = 10): Promise<number> {
  const began = await counters(server);
  await act();
  const ended = await counters(server);
  if (ended.calls === began.calls + 1) return ended.buffers - began.buffers;
  assert(attempts > 1, `${ended.calls - began.calls} statements in place of one`);
  return await buffers(server, act, attempts - 1);
}

async function buffersOf(server: Server, url: string): Promise<number> {
  return await buffers(server, async () => {
    assert.equal((await apps?.[server].http.inject({ url }))?.statusCode, 200);
  });
}

const batchSize = 10;

/** Buffers of this many different pages, requested in one turn: from the first user on, or after this cursor. */
async function buffersOfBatch(server: Server, after?: string): Promise<number> {
  assert(apps);
  const users = usersOf(apps[server]);
  const place = after === undefined ? {} : { after };
  const limits = Array.from({ length: batchSize }, (_, n) => 20 - n);
  return await buffers(server, async () =>
    Promise.all(limits.map(async (limit) => users.list({ limit, ...place }, someone()))),
  );
}

async function onBoth(read: (server: Server) => Promise<number>): Promise<PerServer> {
  return { primary: await read('primary'), standby: await read('standby') };
}

async function firstPageOnBoth(): Promise<PerServer> {
  return await onBoth(async (server) => buffersOf(server, firstPage));
}

function cursorIn(url: string): string {
  return new URL(url, 'http://x').searchParams.get('after') ?? '';
}

/** Creates and deletes users. Resolves with the URL of the second page while they exist. */
async function churn(count: number): Promise<string> {
  const own = database();
  await own.sql(`insert into users (first_name, last_name, created_at)
    select 'passing', n::text, clock_timestamp() from generate_series(1, ${count}) n`);
  await own.replicated();
  const link = String((await apps?.standby.http.inject({ url: firstPage }))?.headers.link);
  const next = /<(.+)>/u.exec(link)?.[1];
  assert(next !== undefined, link);
  await own.sql("delete from users where first_name = 'passing'");
  return next;
}

describe('after many created and deleted users, pages', () => {
  for (const count of [manyUsers, fewUsers]) {
    test(`cost as much as before, on both servers (${count} users)`, async () => {
      const fresh = await firstPageOnBoth();
      const next = await churn(count);
      for (const server of servers) {
        for (const url of [firstPage, next]) {
          const isFlat = async (): Promise<boolean> => (await buffersOf(server, url)) <= fresh[server] + 2;
          await waitFor(`${url} on the ${server} to touch ${fresh[server]} buffers`, isFlat, vacuumMs);
        }
      }
    });
  }

  test('cost as much as before when ten different ones share a statement, on both servers', async () => {
    const fresh = await onBoth(async (server) => buffersOfBatch(server));
    const next = await churn(manyUsers);
    for (const server of servers) {
      for (const after of [undefined, cursorIn(next)]) {
        const isFlat = async (): Promise<boolean> =>
          (await buffersOfBatch(server, after)) <= fresh[server] + 2 * batchSize;
        await waitFor(`ten pages on the ${server} to touch ${fresh[server]} buffers`, isFlat, vacuumMs);
      }
    }
  });
});

/** The statements as sent, by the beginning of their texts. */
const pageStatements = ['select id, %', 'select wanted.page%'];

test('every page is read from the index at any depth, alone and in a shared statement', async () => {
  const own = database();
  const [deep] = await own.sql<{ created_at: string; id: string }>(
    `select created_at, id from users order by created_at desc, id desc limit 1 offset ${settledUsers - 1_000}`,
  );
  assert(deep);
  const after = encodeCursor({ createdAt: deep.created_at, id: deep.id });
  const fresh = await firstPageOnBoth();
  for (const server of servers) {
    assert.ok((await buffersOf(server, `${firstPage}&after=${after}`)) <= fresh[server] + 2);
    assert.ok((await buffersOfBatch(server)) <= batchSize * (fresh[server] + 2));
    assert.ok((await buffersOfBatch(server, after)) <= batchSize * (fresh[server] + 2));
  }
  const sent = await own.sqlOnStandby<{ query: string }>(
    `select distinct query from pg_stat_statements join pg_database on dbid = pg_database.oid
      where datname = current_database() and query like any($1) and query like '%order by created_at desc%'`,
    [pageStatements],
  );
  assert.equal(sent.length, 4, sent.map(({ query }) => query).join('\n'));
  for (const { query } of sent) {
    const plan = JSON.stringify(await own.sql(`explain (generic_plan, format json) ${query}`));
    assert.match(plan, /"Index Name":"users_newest_idx"/u, query);
    assert.doesNotMatch(plan, /Seq Scan|Bitmap/u, query);
  }
});
