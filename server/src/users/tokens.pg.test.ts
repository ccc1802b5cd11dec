import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import { User } from '@messenger/protocol/users';
import type { LightMyRequestResponse } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';

const origin = 'https://allowed.example';
const database = useDatabase();
const app = useApp(database, { env: { CORS_ORIGINS: origin } });
const users = '/api/v1/users';
const names = { first_name: 'Ada', last_name: 'Lovelace' };

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function call(
  method: Method,
  url: string,
  { payload, token }: { readonly payload?: object; readonly token?: string } = {},
): Promise<LightMyRequestResponse> {
  const headers = token === undefined ? {} : { 'consistency-token': token };
  return await app().http.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
}

function tokenOf(answer: LightMyRequestResponse): string {
  const token = answer.headers['consistency-token'];
  assert(typeof token === 'string', 'the answer carries a token');
  return token;
}

test('writes, and reads with a token, answer with a token; other reads do not', async () => {
  const created = await call('POST', users, { payload: names });
  const url = `${users}/${Value.Parse(User, created.json()).id}`;
  const token = tokenOf(created);
  for (const path of [url, users, `${users}?limit=1`]) {
    assert.match(tokenOf(await call('GET', path, { token })), /^[\w-]{20}$/u);
    assert.equal((await call('GET', path)).headers['consistency-token'], undefined);
  }
  for (const method of ['PUT', 'PATCH'] as const) tokenOf(await call(method, url, { payload: names }));
  const gone = tokenOf(await call('DELETE', url));
  assert.equal((await call('GET', url, { token: gone })).statusCode, 404);
});

test('an invalid token is refused, and nothing is written', async () => {
  const token = tokenOf(await call('POST', users, { payload: names }));
  const before = await database().sql('select id from users');
  const other = token.startsWith('A') ? 'B' : 'A';
  for (const garbage of ['', 'nonsense', token.slice(1), `${token}A`, other + token.slice(1), `${token}, ${token}`]) {
    for (const answer of [
      await call('POST', users, { payload: names, token: garbage }),
      await call('GET', users, { token: garbage }),
    ]) {
      assert.equal(answer.statusCode, 400, garbage);
      const { code, errors } = Value.Parse(Problem, answer.json());
      assert.equal(code, 'invalid_request');
      assert.deepEqual(
        errors?.map(({ in: part, field }) => `${part} ${field}`),
        ['headers Consistency-Token'],
      );
    }
  }
  assert.deepEqual(await database().sql('select id from users'), before);
});

/** The tested part of an OpenAPI document. */
const Operation = Type.Object({
  parameters: Type.Optional(Type.Array(Type.Object({ in: Type.String(), name: Type.String() }))),
  responses: Type.Record(Type.String(), Type.Object({ headers: Type.Optional(Type.Object({})) })),
});
const Described = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)) });

test('the reference describes the token in every request and answer of the users API', async () => {
  const document: unknown = (await call('GET', '/openapi.json')).json();
  const { paths } = Value.Parse(Described, document);
  const operations = [users, `${users}/{id}`].flatMap((path) => Object.entries(paths[path] ?? {}));
  assert.equal(operations.length, 6);
  for (const [method, { parameters, responses }] of operations) {
    const sent = (parameters ?? []).filter(({ in: part, name }) => part === 'header' && name === 'consistency-token');
    assert.equal(sent.length, 1, method);
    const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
    assert.ok('Consistency-Token' in (success?.headers ?? {}), method);
  }
});

test('pages of allowed origins can send and read the token', async () => {
  const preflight = await app().http.inject({
    method: 'OPTIONS',
    url: users,
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'consistency-token' },
  });
  assert.match(String(preflight.headers['access-control-allow-headers']), /consistency-token/iu);
  const answer = await app().http.inject({ method: 'POST', url: users, payload: names, headers: { origin } });
  assert.match(String(answer.headers['access-control-expose-headers']), /consistency-token/u);
});
