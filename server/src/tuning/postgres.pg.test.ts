import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { tunePostgres } from './postgres.ts';

const database = useDatabase();

test('PostgreSQL knows every setting that is recommended', async () => {
  const profile = {
    memoryBytes: 2 ** 30,
    cpus: 2,
    workers: 2,
    instances: 1,
    storage: 'ssd',
    durability: 'on',
  } as const;
  const names = tunePostgres(profile).map(({ name }) => name);
  const rows = await database().sql<{ name: string }>('select name from pg_settings where name = any($1)', [names]);
  assert.deepEqual(rows.map(({ name }) => name).toSorted(), names.toSorted());
});
