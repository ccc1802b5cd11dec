import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import type { LightMyRequestResponse } from 'fastify';

import { useApp } from './app.ts';
import { useDatabase } from './database.ts';

const database = useDatabase();
const origin = 'https://app.example';
const app = useApp(database, { env: { CORS_ORIGINS: origin } });
const list = '/api/v1/users?limit=100';

before(async () => {
  await database.created;
  await database().sql(
    "insert into users (first_name, last_name) select 'Ada ' || n, 'x' from generate_series(1, 100) n",
  );
  await database().replicated();
});

type Headers = Readonly<Record<string, string>>;

async function get(
  url: string,
  headers: Headers = {},
  method: 'GET' | 'HEAD' = 'GET',
): Promise<LightMyRequestResponse> {
  const answer = await app().http.inject({ url, method, headers: { origin, ...headers } });
  assert.equal(answer.statusCode, 200, url);
  return answer;
}

function decoded({ headers, rawPayload }: LightMyRequestResponse): string {
  const coding = headers['content-encoding'];
  if (coding === undefined) return rawPayload.toString();
  return (coding === 'br' ? brotliDecompressSync(rawPayload) : gunzipSync(rawPayload)).toString();
}

const large = [list, '/', '/openapi.json', '/ops', '/ops/page.js', '/docs/json', '/docs/static/swagger-ui.css'];
describe('a large answer is compressed for clients that accept it, with the correct Vary:', () => {
  for (const url of large)
    test(url, async () => {
      const plain = await get(url);
      assert.equal(plain.headers['content-encoding'], undefined);
      for (const coding of ['gzip', 'br']) {
        const answer = await get(url, { 'accept-encoding': coding });
        assert.equal(answer.headers['content-encoding'], coding);
        assert.equal(decoded(answer), plain.body);
        assert.ok(answer.rawPayload.length < plain.rawPayload.length * 0.65, `${answer.rawPayload.length} bytes`);
        assert.equal(answer.headers['content-type'], plain.headers['content-type']);
        assert.equal(answer.headers.etag, plain.headers.etag);
        for (const { headers } of [plain, answer])
          assert.match(String(headers.vary), /^Origin, (?:Authorization, )?Accept-Encoding$/u);
        const length = answer.headers['content-length'];
        if (length !== undefined) assert.equal(Number(length), answer.rawPayload.length);
      }
    });
});

test('HEAD has the headers of GET, without a body', async () => {
  for (const url of [list, '/openapi.json'])
    for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
      const { date: _, 'request-id': __, ...wanted } = (await get(url, headers)).headers;
      const answer = await get(url, headers, 'HEAD');
      assert.partialDeepStrictEqual(answer.headers, wanted);
      assert.equal(answer.body, '');
    }
});

test('small answers, refusals, images and event streams are not compressed', async () => {
  const accept = { 'accept-encoding': 'gzip, br' };
  const { id } = (await get('/api/v1/users?limit=1', accept)).json<{ id: string }[]>()[0] ?? { id: '' };
  for (const url of ['/api/v1/users?limit=1', `/api/v1/users/${id}`, '/health', '/docs/static/favicon-32x32.png']) {
    const answer = await get(url, accept);
    assert.equal(answer.headers['content-encoding'], undefined, url);
  }
  const refused = await app().http.inject({ url: '/api/v1/users?limit=0', headers: accept });
  assert.equal(refused.headers['content-encoding'], undefined);
  const small = await get('/api/v1/users?limit=1', accept);
  assert.match(String(small.headers.vary), /Accept-Encoding/u, 'a longer list at the same address is compressed');
});

test('a list has a tag that changes with it, and is a 304 for clients with that tag, in any coding', async () => {
  const tagOf = async (headers: Headers = {}): Promise<string> => String((await get(list, headers)).headers.etag);
  const tag = await tagOf();
  assert.match(tag, /^W\/"[\w-]{22}"$/u);
  assert.equal(await tagOf({ 'accept-encoding': 'br' }), tag);
  for (const method of ['GET', 'HEAD'] as const)
    for (const known of [tag, tag.slice(2), `"x", ${tag}`, '*']) {
      const headers = { origin, 'if-none-match': known, 'accept-encoding': 'gzip' };
      const answer = await app().http.inject({ method, url: list, headers });
      assert.deepEqual([answer.statusCode, answer.body, answer.headers.etag], [304, '', tag]);
      assert.match(String(answer.headers.vary), /Accept-Encoding/u);
      assert.equal(answer.headers['content-encoding'], undefined);
    }
  await database().sql("update users set last_name = 'y' where id = (select id from users order by id limit 1)");
  await database().replicated();
  const changed = await app().http.inject({ url: list, headers: { 'if-none-match': tag } });
  assert.equal(changed.statusCode, 200);
  assert.notEqual(changed.headers.etag, tag);
});

test('files of the pages are a 304 for clients with their tag', async () => {
  for (const url of ['/', '/openapi.json', '/ops', '/ops/page.js', '/docs/static/swagger-ui.css']) {
    const { etag } = (await get(url, { 'accept-encoding': 'gzip' })).headers;
    const headers = { 'if-none-match': String(etag), 'accept-encoding': 'gzip' };
    const answer = await app().http.inject({ url, headers });
    assert.deepEqual([answer.statusCode, answer.body], [304, ''], url);
  }
});
