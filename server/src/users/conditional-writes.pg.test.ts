import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import { User } from '@messenger/protocol/users';
import type { LightMyRequestResponse } from 'fastify';
import { Value } from 'typebox/value';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { someone, usersOf } from '../../test/users.ts';
import { waitFor } from '../../test/wait-for.ts';
import { withClient } from '../db/session.ts';
import { AppError } from '../lib/app-error.ts';

const database = useDatabase();
const users = '/api/v1/users';
const names = { first_name: 'Ada', last_name: 'Lovelace' };
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Headers = Readonly<Record<string, string>>;

function codeOf(answer: LightMyRequestResponse): string {
  return Value.Parse(Problem, answer.json()).code;
}

function tagOf(answer: LightMyRequestResponse): string {
  assert.ok(answer.statusCode < 300, answer.body);
  const { etag } = answer.headers;
  assert(typeof etag === 'string');
  return etag;
}

for (const batching of ['on', 'off']) {
  describe(`with batching ${batching},`, () => {
    const app = useApp(database, { env: { DB_BATCHING: batching } });
    const call = async (
      method: Method,
      url: string,
      headers: Headers = {},
      payload?: object,
    ): Promise<LightMyRequestResponse> =>
      await app().http.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
    const create = async (): Promise<{ url: string; id: string; tag: string }> => {
      const answer = await call('POST', users, {}, names);
      const { id } = Value.Parse(User, answer.json());
      return { id, url: `${users}/${id}`, tag: tagOf(answer) };
    };
    const read = async (url: string): Promise<LightMyRequestResponse> => {
      await database().replicated();
      return await call('GET', url);
    };

    test('every answer with one user has the ETag of its version', async () => {
      const { url, tag } = await create();
      assert.equal(tagOf(await read(url)), tag);
      assert.equal(tagOf(await call('HEAD', url)), tag);
      const put = await call('PUT', url, {}, names);
      assert.notEqual(tagOf(put), tag, 'also with unchanged names');
      const patch = await call('PATCH', url, {}, { last_name: 'Hopper' });
      assert.notEqual(tagOf(patch), tagOf(put));
      assert.equal(tagOf(await read(url)), tagOf(patch));
    });

    test('a client with the current version gets 304 without a body, and the new version after a change', async () => {
      const { url, tag } = await create();
      await database().replicated();
      for (const method of ['GET', 'HEAD'] as const)
        for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
          const answer = await call(method, url, { 'if-none-match': known });
          assert.deepEqual([answer.statusCode, answer.body, answer.headers.etag], [304, '', tag]);
        }
      assert.equal((await call('GET', url, { 'if-none-match': '"x"' })).statusCode, 200);
      await call('PUT', url, {}, names);
      await database().replicated();
      assert.equal((await call('GET', url, { 'if-none-match': tag })).statusCode, 200);
    });

    test('a write succeeds if If-Match names the version, and is refused with 412 if not', async () => {
      const { url, tag } = await create();
      const changes = [
        ['PUT', names],
        ['PATCH', { last_name: 'Hopper' }],
        ['DELETE', undefined],
      ] as const;
      let current = tag;
      for (const [method, body] of changes) {
        for (const wrong of ['"x"', `W/${current}`, '"2026-02-30T12:00:00.123456Z"', '"0000-01-01T00:00:00.000000Z"']) {
          const refused = await call(method, url, { 'if-match': wrong }, body);
          assert.equal(refused.statusCode, 412);
          assert.equal(codeOf(refused), 'precondition_failed');
        }
        assert.equal(tagOf(await read(url)), current, 'a refused write has written nothing');
        const done = await call(method, url, { 'if-match': `"x", ${current}` }, body);
        if (method === 'DELETE') assert.equal(done.statusCode, 204);
        else current = tagOf(done);
      }
      assert.equal((await read(url)).statusCode, 404);
    });

    test('If-Match: * matches every user, and an absent user is a 404 with any condition', async () => {
      const { url, tag } = await create();
      assert.equal((await call('PUT', url, { 'if-match': '*' }, names)).statusCode, 200);
      await database().replicated();
      assert.equal((await call('GET', url, { 'if-match': tag })).statusCode, 412);
      assert.equal((await call('DELETE', url, { 'if-match': '*' })).statusCode, 204);
      for (const match of ['*', '"x"', tag])
        for (const [method, body] of [['PUT', names], ['PATCH', names], ['DELETE']] as const)
          assert.equal(codeOf(await call(method, url, { 'if-match': match }, body)), 'user_not_found');
    });

    test('a malformed or unsupported condition is a 400 that names the header', async () => {
      const { url, tag } = await create();
      const calls: readonly (readonly [Method, string, Headers, object?])[] = [
        ['GET', url, { 'if-match': 'x' }],
        ['GET', url, { 'if-none-match': '"x" "y"' }],
        ['PUT', url, { 'if-match': tag.slice(1) }, names],
        ['PATCH', url, { 'if-match': '' }, names],
        ['DELETE', url, { 'if-match': '"x' }],
        ['PUT', url, { 'if-none-match': '*' }, names],
        ['DELETE', url, { 'if-none-match': tag }],
        ['POST', users, { 'if-match': '*' }, names],
        ['POST', users, { 'if-none-match': '*' }, names],
      ];
      for (const [method, path, headers, body] of calls) {
        const problem = Value.Parse(Problem, (await call(method, path, headers, body)).json());
        const [field] = Object.keys(headers);
        assert.deepEqual(
          problem.errors?.map((error) => [error.in, error.field.toLowerCase()]),
          [['headers', field]],
        );
      }
      assert.equal(tagOf(await read(url)), tag);
    });

    test('of 64 concurrent changes of one version, exactly one succeeds', async () => {
      for (const [method, body] of [['PUT', names], ['PATCH', names], ['DELETE']] as const) {
        const { url, tag } = await create();
        const answers = await Promise.all(
          Array.from({ length: 64 }, async () => call(method, url, { 'if-match': tag }, body)),
        );
        const statuses = answers.map(({ statusCode }) => statusCode);
        assert.equal(statuses.filter((status) => status < 300).length, 1, `${method}: ${statuses.join()}`);
        const refused = method === 'DELETE' ? [412, 404] : [412];
        assert.ok(
          statuses.every((status) => status < 300 || refused.includes(status)),
          statuses.join(),
        );
      }
    });

    test('clients that read, change and retry lose no update', async () => {
      const { url } = await create();
      const raise = async (): Promise<void> => {
        for (;;) {
          const now = await call('GET', url, { 'consistency-token': token });
          const { first_name: first } = Value.Parse(User, now.json());
          const count = first === 'Ada' ? 0 : Number(first);
          const raised = { first_name: String(count + 1) };
          const answer = await call('PATCH', url, { 'if-match': tagOf(now) }, raised);
          if (answer.statusCode === 200) return;
          assert.equal(answer.statusCode, 412);
        }
      };
      const token = String((await call('PATCH', url, {}, names)).headers['consistency-token']);
      await Promise.all(Array.from({ length: 8 }, async () => raise()));
      assert.equal(Value.Parse(User, (await read(url)).json()).first_name, '8');
    });

    for (const [method, body] of [['PUT', names], ['DELETE']] as const)
      for (const [change, status] of [
        ["update users set updated_at = updated_at + interval '1 second'", 412],
        ['delete from users', 404],
      ] as const)
        test(`a ${method} that waits for "${change}" compares the version after the wait`, async () => {
          const { id, url, tag } = await create();
          await withClient(database().endpoints.write, session, async (holder) => {
            await holder.query('begin');
            await holder.query(`${change} where id = $1`, [id]);
            const waiting = call(method, url, { 'if-match': tag }, body);
            const waits = "datname = current_database() and wait_event_type = 'Lock'";
            await waitFor('the call to wait', async () => {
              return (await database().sql(`select 1 from pg_stat_activity where ${waits}`)).length === 1;
            });
            await holder.query('commit');
            assert.equal((await waiting).statusCode, status);
          });
        });
  });
}

describe('in one batch,', () => {
  const app = useApp(database, { env: { DB_BATCHING: 'on' } });

  test('the first change of a version succeeds, and one that names its result is made after it', async () => {
    const all = usersOf(app());
    const { id } = await all.create(names, someone());
    // Ahead of the clock, so that the next version is known.
    const [version = '', next = '', later = ''] = [1, 2, 3].map((n) => `2126-01-28T12:00:00.00000${n}Z`);
    await database().sql('update users set updated_at = $2 where id = $1', [id, version]);
    const rename = async (name: string, ...versions: string[]): Promise<string> =>
      all.rename(id, { first_name: name }, someone(), versions).then(
        ({ first_name: first, updated_at: at }) => `${first} ${at}`,
        (error: unknown) => (error instanceof AppError ? error.code : String(error)),
      );
    const outcomes = await Promise.all([
      rename('wrong', later),
      rename('first', version),
      rename('second', version),
      rename('third', version, next),
    ]);
    assert.deepEqual(outcomes, ['precondition_failed', `first ${next}`, 'precondition_failed', `third ${later}`]);
  });

  test('changes with and without a condition share a transaction, and each is answered with its result', async () => {
    const all = usersOf(app());
    const made = await Promise.all(Array.from({ length: 20 }, async () => all.create(names, someone())));
    const renamed = await Promise.all(
      made.map(async ({ id, updated_at: version }, n) =>
        all.rename(id, { last_name: `n${n}` }, someone(), n % 2 === 0 ? [version] : undefined),
      ),
    );
    assert.deepEqual(
      renamed.map((user) => [user.id, user.first_name, user.last_name]),
      made.map(({ id }, n) => [id, 'Ada', `n${n}`]),
    );
    const ids = made.map(({ id }) => id);
    const [row] = await database().sql<{ n: number }>(
      'select count(distinct xmin::text)::int as n from users where id = any($1)',
      [ids],
    );
    assert.equal(row?.n, 1);
  });

  test('a change that the database refuses fails alone', async () => {
    const all = usersOf(app());
    const made = await Promise.all(Array.from({ length: 5 }, async () => all.create(names, someone())));
    const outcomes = await Promise.allSettled(
      made.map(async ({ id, updated_at: version }, n) =>
        all.rename(id, { last_name: n === 2 ? '' : 'x' }, someone(), [version]),
      ),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status === 'fulfilled'),
      [true, true, false, true, true],
    );
  });
});
