import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import { User } from '@messenger/protocol/users';
import type { LightMyRequestResponse } from 'fastify';
import { Value } from 'typebox/value';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import type { App } from '../app.ts';
import { withClient } from '../db/session.ts';
import { sweepKeys } from './keyed-inserts.ts';

const database = useDatabase();
const users = '/api/v1/users';
const names = { first_name: 'Ada', last_name: 'Lovelace' };
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

async function post(app: App, key: string, payload: object = names): Promise<LightMyRequestResponse> {
  return await app.http.inject({ method: 'POST', url: users, headers: { 'idempotency-key': key }, payload });
}

function userIn(answer: LightMyRequestResponse): User {
  assert.equal(answer.statusCode, 201, answer.body);
  return Value.Parse(User, answer.json());
}

function refusalIn(answer: LightMyRequestResponse): string {
  const { code, status } = Value.Parse(Problem, answer.json());
  return `${status} ${code}`;
}

const isRepeat = (answer: LightMyRequestResponse): boolean => answer.headers['idempotent-replayed'] === 'true';

async function countUsers(lastName: string): Promise<number> {
  return (await database().sql('select 1 from users where last_name = $1', [lastName])).length;
}

for (const batching of ['on', 'off']) {
  describe(`with batching ${batching},`, () => {
    const app = useApp(database, { env: { DB_BATCHING: batching } });
    const other = useApp(database, { env: { DB_BATCHING: batching } });

    test('a repeat gets the first answer again, is marked, and creates no second user', async () => {
      const key = randomUUID();
      const last = `Lovelace ${key}`;
      const first = await post(app(), key, { ...names, last_name: last });
      assert.ok(!isRepeat(first));
      const stored = await app().http.inject(`${users}/${userIn(first).id}`);
      assert.deepEqual(stored.json(), first.json());
      for (const repeat of [
        await post(app(), key, { ...names, last_name: last }),
        await post(other(), `"${key}"`, { ...names, last_name: ` ${last} ` }),
      ]) {
        assert.deepEqual(userIn(repeat), userIn(first));
        for (const header of ['location', 'etag']) assert.equal(repeat.headers[header], first.headers[header]);
        assert.ok(isRepeat(repeat));
      }
      assert.equal(await countUsers(last), 1);
    });

    test('a repeat gets the first answer also when the user was changed or deleted meanwhile', async () => {
      const key = randomUUID();
      const first = await post(app(), key);
      const url = `${users}/${userIn(first).id}`;
      await app().http.inject({ method: 'PUT', url, payload: { first_name: 'Grace', last_name: 'Hopper' } });
      assert.deepEqual(userIn(await post(app(), key)), userIn(first));
      const tag = String(first.headers.etag);
      const late = await app().http.inject({ method: 'PUT', url, headers: { 'if-match': tag }, payload: names });
      assert.equal(late.statusCode, 412, 'its ETag is that of the first version');
      await app().http.inject({ method: 'DELETE', url });
      assert.deepEqual(userIn(await post(app(), key)), userIn(first));
    });

    test('the same key with another body is a 422, and creates no user', async () => {
      const key = randomUUID();
      const last = `Hopper ${key}`;
      const first = userIn(await post(app(), key));
      for (const body of [
        { ...names, last_name: last },
        { first_name: names.last_name, last_name: names.first_name },
      ])
        assert.equal(refusalIn(await post(app(), key, body)), '422 idempotency_key_reused');
      assert.equal(await countUsers(last), 0);
      assert.deepEqual(userIn(await post(app(), key)), first);
    });

    test('of 64 concurrent requests with one key, on two servers, one creates the user and all are answered with it', async () => {
      const key = randomUUID();
      const body = { ...names, last_name: `Many ${key}` };
      const answers = await Promise.all(
        Array.from({ length: 64 }, async (_, n) => post(n % 2 === 0 ? app() : other(), key, body)),
      );
      assert.equal(new Set(answers.map((answer) => userIn(answer).id)).size, 1);
      assert.equal(answers.filter((answer) => !isRepeat(answer)).length, 1);
      assert.equal(await countUsers(body.last_name), 1);
    });

    test('of two concurrent requests with one key and two bodies, one is refused', async () => {
      for (let round = 0; round < 10; round += 1) {
        const key = randomUUID();
        const bodies = [names, { ...names, first_name: 'Grace' }];
        const answers = await Promise.all(bodies.map(async (body, n) => post(n === 0 ? app() : other(), key, body)));
        const statuses = answers.map(({ statusCode }) => String(statusCode));
        assert.deepEqual(statuses.toSorted(), ['201', '422']);
      }
    });

    test('two servers with the same keys in opposite orders answer all requests', async () => {
      for (let round = 0; round < 20; round += 1) {
        const keys = Array.from({ length: 30 }, () => randomUUID());
        const [mine, theirs] = await Promise.all([
          Promise.all(keys.map(async (key) => post(app(), key))),
          Promise.all(keys.toReversed().map(async (key) => post(other(), key))),
        ]);
        assert.deepEqual(
          mine.map((answer) => userIn(answer).id),
          theirs.toReversed().map((answer) => userIn(answer).id),
        );
      }
    });

    test('a refused request does not use up its key', async () => {
      const key = randomUUID();
      assert.equal(refusalIn(await post(app(), key, { ...names, first_name: '' })), '400 invalid_request');
      const refuse = `create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'no'; end $$;
        create trigger refuse before insert on users for each row execute function refuse()`;
      await database().sql(refuse);
      assert.equal(refusalIn(await post(app(), key)), '500 internal_error');
      await database().sql('drop function refuse cascade');
      assert.ok(!isRepeat(await post(app(), key, { ...names, first_name: 'Grace' })));
    });

    test('a key is free again after 24 hours, and not before', async () => {
      const key = randomUUID();
      const first = userIn(await post(app(), key));
      const age = async (hours: string): Promise<unknown> =>
        database().sql('update idempotency_keys set created_at = now() - $2::interval where key = $1', [key, hours]);
      await age('23 hours 59 minutes');
      assert.equal(userIn(await post(app(), key)).id, first.id);
      await age('24 hours 1 minute');
      const second = await post(app(), key, { ...names, first_name: 'Grace' });
      assert.ok(!isRepeat(second));
      assert.notEqual(userIn(second).id, first.id);
      assert.equal(refusalIn(await post(app(), key)), '422 idempotency_key_reused');
    });

    test('an invalid key is a 400 that names the header, and creates no user', async () => {
      const body = { ...names, last_name: `Malformed ${randomUUID()}` };
      const { errors } = Value.Parse(Problem, (await post(app(), 'a b', body)).json());
      assert.deepEqual(
        errors?.map((error) => [error.in, error.field]),
        [['headers', 'Idempotency-Key']],
      );
      assert.equal(await countUsers(body.last_name), 0);
    });
  });
}

describe('with many keys,', () => {
  const app = useApp(database);

  test('expired keys are removed in steps, without a scan of the table', async () => {
    const sql = async (text: string): Promise<{ n: number }[]> => database().sql<{ n: number }>(text);
    await sql('create extension if not exists pg_stat_statements');
    await sql('truncate idempotency_keys');
    await sql(`insert into idempotency_keys (key, fingerprint, user_id, created_at)
      select 'fresh ' || n, repeat('x', 43), uuidv7(), now() from generate_series(1, 50000) n`);
    await sql('vacuum analyze idempotency_keys');
    const sweep = async (): Promise<number> => app().databases.writePool.transaction(sweepKeys);
    await sql('select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = current_database()');
    assert.equal(await sweep(), 0);
    const [cost] = await sql(`select (shared_blks_hit + shared_blks_read)::int as n
      from pg_stat_statements join pg_database on dbid = pg_database.oid
      where datname = current_database() and query like '%delete from idempotency_keys%'`);
    assert(cost);
    assert.ok(cost.n > 0 && cost.n < 20, `${cost.n} buffers`);
    await sql(`insert into idempotency_keys (key, fingerprint, user_id, created_at)
      select 'old ' || n, 'x', uuidv7(), now() - interval '25 hours' from generate_series(1, 1500) n`);
    assert.deepEqual([await sweep(), await sweep(), await sweep()], [1_000, 500, 0]);
    assert.equal((await sql("select count(*)::int as n from idempotency_keys where key like 'fresh %'"))[0]?.n, 50_000);
  });

  test('expired keys that another transaction has locked are left for the next sweep', async () => {
    await database().sql(`insert into idempotency_keys (key, fingerprint, user_id, created_at)
      select 'locked ' || n, 'x', uuidv7(), now() - interval '25 hours' from generate_series(1, 2) n`);
    const sweep = async (): Promise<number> => app().databases.writePool.transaction(sweepKeys);
    await withClient(database().endpoints.write, session, async (holder) => {
      await holder.query("begin; select 1 from idempotency_keys where key = 'locked 1' for update");
      assert.equal(await sweep(), 1);
      await holder.query('rollback');
    });
    assert.equal(await sweep(), 1);
  });

  test('of several requests with one key in one batch, the first creates the user and the others repeat it', async () => {
    const all = usersOf(app());
    // After a batch of two, the calls of one turn are sent together.
    await Promise.all([all.create(names, someone()), all.create(names, someone())]);
    const key = randomUUID();
    const bodies = [names, names, { ...names, first_name: 'Grace' }, names];
    const outcomes = await Promise.allSettled(bodies.map(async (body) => all.createOnce(key, body, someone())));
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.isRepeat : String(outcome.reason))),
      [false, true, 'AppError: This Idempotency-Key was used with another body', true],
    );
  });

  test('requests with and without keys share a transaction', async () => {
    const bodies = Array.from({ length: 20 }, (_, n) => ({ ...names, first_name: `n${n}` }));
    const answers = await Promise.all(
      bodies.map(async (payload, n) =>
        n % 2 === 0 ? post(app(), randomUUID(), payload) : app().http.inject({ method: 'POST', url: users, payload }),
      ),
    );
    assert.deepEqual(
      answers.map((answer) => userIn(answer).first_name),
      bodies.map(({ first_name: first }) => first),
    );
    const stored = await database().sql('select 1 from users where id = any($1)', [
      answers.map((answer) => userIn(answer).id),
    ]);
    assert.equal(stored.length, 20);
  });
});
