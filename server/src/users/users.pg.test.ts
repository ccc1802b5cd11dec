import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import { User } from '@messenger/protocol/users';
import type { LightMyRequestResponse } from 'fastify';
import { assert as property, asyncProperty, string } from 'fast-check';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { createTestApp, useApp } from '../../test/app.ts';
import { templateDatabase, useDatabase, type TestDatabase } from '../../test/database.ts';
import { isVisibleText, normaliseText } from '../http/visible-text.ts';

const database = useDatabase();
const app = useApp(database);
const users = '/api/v1/users';
const nobody = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function call(method: Method, url: string, payload?: object): Promise<LightMyRequestResponse> {
  return await app().http.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
}

function problemOf(answer: LightMyRequestResponse): Problem {
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/u);
  const problem = Value.Parse(Problem, answer.json());
  assert.equal(problem.status, answer.statusCode);
  assert.equal(problem.request_id, answer.headers['request-id']);
  return problem;
}

async function create(first = 'Ada', last = 'Lovelace'): Promise<User> {
  const answer = await call('POST', users, { first_name: first, last_name: last });
  assert.equal(answer.statusCode, 201, answer.body);
  return Value.Parse(User, answer.json());
}

async function list(url: string): Promise<{ rows: User[]; next: string | undefined }> {
  const answer = await call('GET', url);
  assert.equal(answer.statusCode, 200, answer.body);
  const next = /^<(.+)>; rel="next"$/u.exec(String(answer.headers.link))?.[1];
  return { rows: Value.Parse(Type.Array(User), answer.json()), next };
}

describe('a user', () => {
  test('is created, and found at the Location of the answer', async () => {
    const answer = await call('POST', users, { first_name: 'Ada', last_name: 'Lovelace' });
    const user = Value.Parse(User, answer.json());
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.headers.location, `${users}/${user.id}`);
    assert.partialDeepStrictEqual(user, { first_name: 'Ada', last_name: 'Lovelace', updated_at: user.created_at });
    assert.deepEqual((await call('GET', `${users}/${user.id}`)).json(), user);
  });

  test('is found by its creator at once, although the standby may lag', async () => {
    for (let round = 0; round < 50; round += 1) {
      const user = await create();
      const answer = await call('GET', `${users}/${user.id}`);
      assert.equal(answer.statusCode, 200);
    }
  });

  test('is found by its id in upper case, too', async () => {
    const user = await create();
    assert.deepEqual((await call('GET', `${users}/${user.id.toUpperCase()}`)).json(), user);
  });

  test('gets both names by PUT, and one by PATCH; updated_at increases', async () => {
    const user = await create();
    const put = await call('PUT', `${users}/${user.id}`, { first_name: 'Grace', last_name: 'Hopper' });
    assert.equal(put.statusCode, 200);
    const renamed = Value.Parse(User, put.json());
    assert.partialDeepStrictEqual(renamed, {
      ...user,
      first_name: 'Grace',
      last_name: 'Hopper',
      updated_at: renamed.updated_at,
    });
    assert.ok(renamed.updated_at > user.updated_at);
    const patch = await call('PATCH', `${users}/${user.id}`, { last_name: 'Murray' });
    const patched = Value.Parse(User, patch.json());
    assert.partialDeepStrictEqual(patched, { first_name: 'Grace', last_name: 'Murray', created_at: user.created_at });
    assert.ok(patched.updated_at > renamed.updated_at);
  });

  test('is changed by a merge patch, which cannot remove a name', async () => {
    const user = await create();
    const patch = async (payload: string): Promise<LightMyRequestResponse> =>
      await app().http.inject({
        method: 'PATCH',
        url: `${users}/${user.id}`,
        headers: { 'content-type': 'application/merge-patch+json' },
        payload,
      });
    const changed = await patch('{"last_name": " Hopper "}');
    assert.partialDeepStrictEqual(changed.json(), { first_name: 'Ada', last_name: 'Hopper' });
    for (const [payload, field] of [
      ['{"last_name": null}', 'last_name'],
      ['{"first_name": "Grace", "title": "Admiral"}', 'title'],
      ['["Grace"]', ''],
      ['{}', ''],
    ] as const) {
      const problem = problemOf(await patch(payload));
      assert.equal(problem.code, 'invalid_request');
      assert.ok(
        problem.errors?.some((error) => error.field === field),
        payload,
      );
    }
    assert.deepEqual(
      (await call('PATCH', `${users}/${user.id}`, { first_name: 'Ada' })).json<User>().last_name,
      'Hopper',
    );
  });

  test('has an increasing updated_at also when the clock stands still or is set back', async () => {
    const user = await create();
    await database().sql("update users set updated_at = now() + interval '1 hour' where id = $1", [user.id]);
    const later = async (): Promise<string> =>
      Value.Parse(User, (await call('PATCH', `${users}/${user.id}`, { last_name: 'Hopper' })).json()).updated_at;
    const first = await later();
    assert.ok(Date.parse(first) > Date.parse(user.updated_at) + 3_000_000, 'the future stays where it was');
    assert.ok((await later()) > first);
  });

  test('that the standby lacks is looked up on the primary', async () => {
    const { write, read } = database().endpoints;
    // The template gets no writes: a standby that always lags.
    const lagging = await createTestApp({ write, read: { ...read, database: templateDatabase } });
    const user = await create();
    const answer = await lagging.http.inject({ method: 'GET', url: `${users}/${user.id}` });
    await lagging.http.close();
    await lagging.close();
    assert.deepEqual(answer.json(), user);
  });

  test('is deleted once', async () => {
    const user = await create();
    const answer = await call('DELETE', `${users}/${user.id}`);
    assert.equal(answer.statusCode, 204);
    assert.equal(answer.body, '');
    assert.equal((await call('DELETE', `${users}/${user.id}`)).statusCode, 404);
  });

  test('that does not exist is a 404 with a code, for every method', async () => {
    const names = { first_name: 'A', last_name: 'B' };
    for (const [method, body] of [['GET'], ['PUT', names], ['PATCH', names], ['DELETE']] as const) {
      const problem = problemOf(await call(method, `${users}/${nobody}`, body));
      assert.equal(problem.code, 'user_not_found');
    }
  });

  test('is reached with a trailing slash, too', async () => {
    assert.equal((await call('POST', `${users}/`, { first_name: 'A', last_name: 'B' })).statusCode, 201);
    assert.equal((await call('GET', `${users}/`)).statusCode, 200);
    const user = await create();
    assert.equal((await call('GET', `${users}/${user.id}/`)).statusCode, 200);
  });
});

describe('names', () => {
  test('keep any Unicode, trimmed and in NFC', async () => {
    const user = await create('  Zoe\u0308 ', '李小龍 👩‍👩‍👧');
    assert.partialDeepStrictEqual(user, { first_name: 'Zoë', last_name: '李小龍 👩‍👩‍👧' });
  });

  test('count in code points, after trimming', async () => {
    const longest = '👩'.repeat(100);
    assert.equal((await create(`  ${longest}  `)).first_name, longest);
    assert.equal((await call('POST', users, { first_name: `${longest}x`, last_name: 'x' })).statusCode, 400);
  });

  test('that exceed the limit in NFC are refused with 400', async () => {
    // U+1D160 becomes three code points.
    const answer = await call('POST', users, { first_name: '\u{1D160}'.repeat(50), last_name: 'x' });
    assert.equal(problemOf(answer).code, 'invalid_request');
  });

  test('that take minutes to normalise are refused at once', async () => {
    const marks = `a${'\u0301'.repeat(150_000)}${'\u0316'.repeat(150_000)}`;
    const began = performance.now();
    const answer = await call('POST', users, { first_name: marks, last_name: 'x' });
    assert.equal(problemOf(answer).code, 'invalid_request');
    assert.ok(performance.now() - began < 5_000, 'normalising it takes a quarter of a minute');
  });

  test('of arbitrary text are stored as sent or refused, without a 500', async () => {
    await property(
      asyncProperty(string({ unit: 'binary', maxLength: 120 }), async (name) => {
        const answer = await call('POST', users, { first_name: name, last_name: 'x' });
        const wanted = normaliseText(name);
        const fits = wanted !== '' && Array.from(wanted).length <= 100 && isVisibleText(wanted);
        assert.equal(answer.statusCode, fits ? 201 : 400, JSON.stringify(name));
        if (fits) assert.equal(Value.Parse(User, answer.json()).first_name, wanted);
      }),
    );
  });
});

describe('invalid input', () => {
  const good = { first_name: 'A', last_name: 'B' };
  const bad: readonly (readonly [name: string, body: object, field: string])[] = [
    ['a name of spaces', { ...good, first_name: ' \t\n\u00a0' }, 'first_name'],
    ['an empty name', { ...good, last_name: '' }, 'last_name'],
    ['a name of characters that show nothing', { ...good, first_name: '\u200b\u2060' }, 'first_name'],
    ['a name with an override of the direction', { ...good, first_name: 'Ada\u202emoc.x' }, 'first_name'],
    ['a name of two lines', { ...good, last_name: 'Byron\nAdministrator' }, 'last_name'],
    ['a name with NUL', { ...good, first_name: 'a\u0000b' }, 'first_name'],
    ['a name with half a surrogate pair', { ...good, first_name: 'a\ud800b' }, 'first_name'],
    ['a name of 101 characters', { ...good, first_name: 'x'.repeat(101) }, 'first_name'],
    ['a number for a name', { ...good, first_name: 5 }, 'first_name'],
    ['null for a name', { ...good, first_name: null }, 'first_name'],
    ['a missing name', { first_name: 'A' }, 'last_name'],
    ['an unknown field', { ...good, id: nobody }, 'id'],
    ['an array', [], ''],
  ];
  for (const [name, body, field] of bad) {
    test(`${name} is a 400 that names the field`, async () => {
      const problem = problemOf(await call('POST', users, body));
      assert.equal(problem.code, 'invalid_request');
      assert.ok(
        problem.errors?.some((error) => error.in === 'body' && error.field === field),
        JSON.stringify(problem.errors),
      );
    });
  }

  test('one answer names every invalid field', async () => {
    const problem = problemOf(await call('POST', users, { first_name: ' ', nick: 'x' }));
    assert.deepEqual(problem.errors?.map((error) => error.field).toSorted(), ['first_name', 'last_name', 'nick']);
  });

  test('an empty PATCH and an incomplete PUT are refused', async () => {
    const user = await create();
    assert.equal(problemOf(await call('PATCH', `${users}/${user.id}`, {})).code, 'invalid_request');
    assert.equal(problemOf(await call('PUT', `${users}/${user.id}`, { first_name: 'A' })).code, 'invalid_request');
    assert.deepEqual((await call('GET', `${users}/${user.id}`)).json(), user);
  });

  for (const id of [
    '1',
    'null',
    `urn:uuid:${nobody}`,
    `{${nobody}}`,
    `${nobody}0`,
    '%00',
    "'; drop table users; --",
    'x'.repeat(99),
  ]) {
    test(`the id ${JSON.stringify(id.slice(0, 45))} is a 400`, async () => {
      const problem = problemOf(await call('GET', `${users}/${encodeURIComponent(id)}`));
      assert.deepEqual(problem.errors, [{ in: 'path', field: 'id', message: 'must be a UUID' }]);
    });
  }

  const queries: readonly (readonly [query: string, field: string])[] = [
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=Infinity', 'limit'],
    ['limit=1e2', 'limit'],
    ['offset=1e999', 'offset'],
    ['after=MDAwMC0wMS0wMVQwMDowMDowMFosMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw', 'after'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['offset=-1', 'offset'],
    ['offset=99999999999999999999', 'offset'],
    ['after=garbage', 'after'],
    ['after=', 'after'],
    ['offset=1&after=MjAy', 'offset'],
    ['page=2', 'page'],
  ];
  for (const [query, field] of queries) {
    test(`?${query} is a 400`, async () => {
      const problem = problemOf(await call('GET', `${users}?${query}`));
      assert.equal(problem.code, 'invalid_request');
      assert.deepEqual(
        problem.errors?.map((error) => [error.in, error.field]),
        [['query', field]],
      );
    });
  }
});

describe('the list', () => {
  test('is newest first, with at most limit rows after offset', async () => {
    const made = [await create('1'), await create('2'), await create('3')].toReversed();
    await database().replicated();
    assert.deepEqual((await list(`${users}?limit=3`)).rows, made);
    assert.deepEqual((await list(`${users}?limit=2&offset=1`)).rows, made.slice(1));
    assert.deepEqual((await list(`${users}?offset=1000000`)).rows, []);
    assert.equal((await list(`${users}?limit=1000`)).next, undefined, 'a page that is not full is the last one');
  });

  test('has 100 rows by default', async () => {
    await database().sql(
      "insert into users (first_name, last_name) select 'n' || n, 'x' from generate_series(1, 150) n",
    );
    await database().replicated();
    assert.equal((await list(users)).rows.length, 100);
    assert.equal((await list(`${users}?limit=1000`)).rows.length >= 150, true);
  });

  test('has next links that neither skip nor repeat a row, also with equal creation times', async () => {
    await database().sql('truncate users');
    await database().sql(
      "insert into users (first_name, last_name) select 'n' || n, 'x' from generate_series(1, 25) n",
    );
    await database().sql(
      "insert into users (first_name, last_name) select 'm' || n, 'x' from generate_series(1, 25) n",
    );
    await database().replicated();
    const walked: User[] = [];
    let next: string | undefined = `${users}?limit=7`;
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof list>> = await list(next);
      walked.push(...page.rows);
      next = page.next;
    }
    assert.deepEqual(walked, (await list(`${users}?limit=1000`)).rows);
    assert.equal(new Set(walked.map((user) => user.id)).size, 50);
  });
});

test('a file that the reference page does not serve is not a defect', async () => {
  for (const url of ['/docs/static/%00', '/docs/static/a%5c..%5c..', '/docs/static/nothing.js']) {
    assert.ok([400, 404].includes((await call('GET', url)).statusCode), url);
  }
  const range = await app().http.inject({ url: '/docs/static/swagger-ui.css', headers: { range: 'bytes=99999999-' } });
  assert.equal(range.statusCode, 400);
});

test('the answer to invalid input is not many times its size', async () => {
  const nonsense = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`${'x'.repeat(150)}${n}`, n]));
  const problem = problemOf(await call('POST', users, nonsense));
  assert.equal(problem.errors?.length, 50);
  assert.ok(problem.errors.every(({ field }) => field.length <= 100));
});

test('each write is one statement and a query of the WAL position, without an explicit transaction', async () => {
  const sql: TestDatabase['sql'] = async (text, values) => database().sql(text, values);
  await sql('create extension pg_stat_statements');
  const user = await create();
  const kinds = /insert into users|update users|delete from users|pg_current_wal_insert_lsn/u;
  const statements = async (act: () => Promise<unknown>): Promise<string[]> => {
    await sql('select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = current_database()');
    await act();
    const rows = await sql<{ query: string }>(
      `select query from pg_stat_statements join pg_database on dbid = pg_database.oid
        where datname = current_database() and query not like '%pg_stat_statements%' and query not like '%flush_lsn%'`,
    );
    return rows.map(({ query }) => kinds.exec(query)?.[0] ?? query).toSorted();
  };
  const names = { first_name: 'A', last_name: 'B' };
  const partly = { last_name: 'C' };
  assert.deepEqual(await statements(async () => call('POST', users, names)), [
    'insert into users',
    'pg_current_wal_insert_lsn',
  ]);
  assert.deepEqual(await statements(async () => call('PUT', `${users}/${user.id}`, names)), [
    'pg_current_wal_insert_lsn',
    'update users',
  ]);
  assert.deepEqual(await statements(async () => call('PATCH', `${users}/${user.id}`, partly)), [
    'pg_current_wal_insert_lsn',
    'update users',
  ]);
  assert.deepEqual(await statements(async () => call('DELETE', `${users}/${user.id}`)), [
    'delete from users',
    'pg_current_wal_insert_lsn',
  ]);
});
