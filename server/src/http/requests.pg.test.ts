import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { pino } from 'pino';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { codeOf } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { encodeToken, onlyOnPrimary } from '../db/position.ts';

const lines: string[] = [];
const database = useDatabase();
const app = useApp(database, {
  listen: true,
  env: { REQUEST_TIMEOUT_MS: '2000', DB_READ_TIMEOUT_MS: '20000' },
  log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
});
const users = '/api/v1/users';

/** Running statements of the app. */
async function running(role: 'read' | 'write'): Promise<string[]> {
  const sql = `select query from pg_stat_activity
    where datname = current_database() and state = 'active' and application_name like 'messenger %'`;
  const rows = await (role === 'read'
    ? database().sqlOnStandby<{ query: string }>(sql)
    : database().sql<{ query: string }>(sql));
  return rows.map(({ query }) => query);
}

/** Makes every read of a list wait. */
async function slowDownLists(seconds: number): Promise<void> {
  await database().sql('alter table users rename to users_table');
  await database().sql(
    `create view users as select * from users_table where (select pg_sleep(${seconds}) is not null)`,
  );
  await database().replicated();
}

async function undoSlowDown(): Promise<void> {
  await database().sql('drop view users');
  await database().sql('alter table users_table rename to users');
  await database().replicated();
}

test('a late read is a 408, and is cancelled on the server', async () => {
  await slowDownLists(30);
  try {
    const answer = fetch(`http://127.0.0.1:${app().port}${users}`);
    await waitFor('the read to run', async () => (await running('read')).length === 1);
    assert.equal((await answer).status, 408);
    await waitFor('the read to end on the server', async () => (await running('read')).length === 0, 10_000);
  } finally {
    await undoSlowDown();
  }
});

for (const [where, role, headers] of [
  ['a standby', 'read', ''],
  ['the primary', 'write', `Consistency-Token: ${encodeToken(onlyOnPrimary)}\r\n`],
] as const)
  test(`the read of a disconnected client is cancelled on ${where}, without a warning`, async () => {
    await slowDownLists(30);
    lines.length = 0;
    try {
      const socket = connect(app().port, '127.0.0.1');
      socket.write(`GET ${users} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
      const isRunning = async (): Promise<boolean> =>
        (await running(role)).some((query) => query.includes('from users'));
      await waitFor('the read to run', isRunning);
      socket.destroy();
      await waitFor('the read to end before its deadline', async () => !(await isRunning()), 1_500);
      assert.doesNotMatch(lines.join(''), /"level":[4-6]0/u);
    } finally {
      await undoSlowDown();
    }
  });

test('a late write is completed, and answered with outcome_unknown', async () => {
  const names = JSON.stringify({ first_name: 'Late', last_name: 'Writer' });
  const count = async (): Promise<number> =>
    (await database().sql("select 1 from users where first_name = 'Late'")).length;
  await database().sql(`create function wait() returns trigger language plpgsql as
    $$ begin perform pg_sleep(3.2); return new; end $$`);
  await database().sql('create trigger slow before insert on users for each row execute function wait()');
  const answer = await fetch(`http://127.0.0.1:${app().port}${users}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: names,
  });
  assert.equal(codeOf({ statusCode: answer.status, body: await answer.text() }), 'outcome_unknown');
  assert.equal(await count(), 0);
  await waitFor('the write to finish', async () => (await running('write')).length === 0);
  assert.equal(await count(), 1);
});
