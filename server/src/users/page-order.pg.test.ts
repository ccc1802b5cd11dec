/** Lists are ordered also without the help of an index, and with equal times. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import type { User } from '@messenger/protocol/users';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { encodeCursor } from '../lib/page-cursor.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on' } });

/** Newest first; with equal times, the greater id first. */
let ordered: readonly User[] = [];

before(async () => {
  const own = await database.created;
  const indexes = await own.sql<{ name: string }>(
    "select indexname as name from pg_indexes where tablename = 'users' and indexname <> 'users_pkey'",
  );
  assert.ok(indexes.length > 0);
  for (const { name } of indexes) await own.sql(`drop index ${name}`);
  // Neither rows nor ids are in the order of the times.
  await own.sql(`insert into users (id, first_name, last_name, created_at)
    select gen_random_uuid(), n::text, 'x', timestamptz '2026-01-01 00:00:00.000001Z' + (n * 7 % 5) * interval '1 second'
      from generate_series(1, 60) n`);
  await own.replicated();
  ordered = (await list('?limit=60')).toSorted((a, b) => compare(b.created_at, a.created_at) || compare(b.id, a.id));
  assert.equal(ordered.length, 60);
});

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

async function list(query: string): Promise<User[]> {
  return (await app().http.inject(`/api/v1/users${query}`)).json<User[]>();
}

/** A page of 7 from each place, by offset or after the previous user. */
const places = [1, 4, 12, 13, 25, 38, 52];
const byOffset = (place: number): string => `?limit=7&offset=${place}`;
function byKey(place: number): string {
  const { created_at: createdAt, id } = ordered[place - 1] ?? assert.fail();
  return `?limit=7&after=${encodeCursor({ createdAt, id })}`;
}

async function readOneByOne(queryOf: (place: number) => string): Promise<void> {
  for (const place of places) assert.deepEqual(await list(queryOf(place)), ordered.slice(place, place + 7));
}

async function readAtOnce(queryOf: (place: number) => string): Promise<void> {
  const pages = await Promise.all(places.map(async (place) => list(queryOf(place))));
  assert.deepEqual(
    pages,
    places.map((place) => ordered.slice(place, place + 7)),
  );
}

test('a page by offset is in order', async () => readOneByOne(byOffset));

test('a page by key is in order', async () => readOneByOne(byKey));

test('pages by offset that share a statement are in order', async () => readAtOnce(byOffset));

test('pages by key that share a statement are in order', async () => readAtOnce(byKey));
