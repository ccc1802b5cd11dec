import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import type { LightMyRequestResponse } from 'fastify';
import { Type } from 'typebox';

import { codeOf, createTestServer } from '../../test/http-server.ts';
import { AppError } from '../lib/app-error.ts';
import { createLog } from '../telemetry/log.ts';
import { collectMethods } from './method-not-allowed.ts';
import type { HttpServer } from './server.ts';

const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
let app: HttpServer;
let random = 0;

const options = { corsOrigins: ['https://allowed.example'], log, random: () => random };

before(async () => {
  app = await createTestServer(options);
  const methods = collectMethods(app);
  app.post('/echo', { schema: { body: Type.Object({ text: Type.String() }) } }, async (request) => request.body);
  app.patch('/patched', async (request) => request.body);
  app.get('/defect', async () => {
    throw Object.assign(new TypeError('secret inner state'), { detail: 'hunter2', where: 'hunter2' });
  });
  app.get('/busy', async () => {
    throw new AppError('pool_exhausted');
  });
  app.get('/things/:id', async () => ({}));
  app.get('/blamed', async () => {
    throw new AppError('pool_exhausted');
  });
  methods.close();
});
after(async () => {
  await app.close();
});
beforeEach(() => {
  lines.length = 0;
});

const json = { 'content-type': 'application/json' };

async function send(body: string | Buffer, headers: Record<string, string> = json): Promise<LightMyRequestResponse> {
  return await app.inject({ method: 'POST', url: '/echo', headers, payload: body });
}

describe('bodies', () => {
  test('that are not JSON are a 400', async () => {
    for (const body of ['{', '{"text": }', 'text', '{"text": "a"} x']) {
      const answer = await send(body);
      assert.equal(answer.statusCode, 400, body);
      assert.equal(codeOf(answer), 'malformed_json');
    }
  });

  test('with a key that would change a prototype are a 400', async () => {
    for (const body of ['{"__proto__": {"a": 1}}', '{"text": "a", "constructor": {"prototype": {"a": 1}}}']) {
      assert.equal(codeOf(await send(body)), 'malformed_json', body);
    }
  });

  test('that do not match their Content-Length are a 400', async () => {
    assert.equal(codeOf(await send('{}', { ...json, 'content-length': '9' })), 'malformed_request');
  });

  test('that are not UTF-8 are a 400, and are not stored damaged', async () => {
    const answer = await send(Buffer.from('7b2274657874223a22ff227d', 'hex'));
    assert.equal(answer.statusCode, 400);
    assert.equal(codeOf(answer), 'malformed_json');
  });

  test('that are absent are a 400', async () => {
    assert.equal(codeOf(await send('')), 'invalid_request');
    assert.equal(codeOf(await app.inject({ method: 'POST', url: '/echo' })), 'invalid_request');
  });

  test('of another media type, or encoded, are a 415', async () => {
    assert.equal(
      codeOf(await send('text=a', { 'content-type': 'application/x-www-form-urlencoded' })),
      'unsupported_media_type',
    );
    assert.equal(codeOf(await send('{}', { 'content-type': 'text/plain' })), 'unsupported_media_type');
    assert.equal(codeOf(await send('{}', { ...json, 'content-encoding': 'gzip' })), 'unsupported_media_type');
  });

  test('with the coding identity are accepted', async () => {
    assert.equal((await send('{"text":"a"}', { ...json, 'content-encoding': 'identity' })).statusCode, 200);
  });

  test('with a charset are accepted', async () => {
    assert.equal((await send('{"text":"ü"}', { 'content-type': 'application/json; charset=utf-8' })).statusCode, 200);
  });

  test('that are too large are a 413', async () => {
    const answer = await send(JSON.stringify({ text: 'x'.repeat(3_000) }));
    assert.equal(answer.statusCode, 413);
    assert.equal(codeOf(answer), 'body_too_large');
  });
});

describe('paths and methods', () => {
  test('an unknown path is a 404, and its body is not read', async () => {
    const answer = await app.inject({ method: 'POST', url: '/nowhere', headers: json, payload: '{' });
    assert.equal(codeOf(answer), 'not_found');
  });

  test('an unsupported method of a known path is a 405 with Allow, and its body is not read', async () => {
    const answer = await app.inject({ method: 'PUT', url: '/echo', headers: json, payload: '{' });
    assert.equal(answer.statusCode, 405);
    assert.equal(answer.headers.allow, 'OPTIONS, POST');
    assert.equal(codeOf(answer), 'method_not_allowed');
    for (const method of ['DELETE', 'QUERY'] as const)
      assert.equal((await app.inject({ method, url: '/busy' })).headers.allow, 'GET, HEAD, OPTIONS');
  });

  test('a path that cannot be decoded is a 400', async () => {
    const answer = await app.inject({ method: 'GET', url: '/%zz' });
    assert.equal(codeOf(answer), 'malformed_request');
  });
});

test('a path parameter that is too long is a 400', async () => {
  const answer = await app.inject({ method: 'GET', url: `/things/${'x'.repeat(150)}` });
  assert.equal(answer.statusCode, 400);
  assert.equal(codeOf(answer), 'invalid_request');
});

describe('a defect', () => {
  test('is a 500 without detail, logged once with its stack and request id; the server continues', async () => {
    const answer = await app.inject({ method: 'GET', url: '/defect' });
    assert.equal(answer.statusCode, 500);
    assert.equal(codeOf(answer), 'internal_error');
    assert.doesNotMatch(answer.body, /secret/u);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /secret inner state.*http\.test\.ts/u);
    assert.doesNotMatch(lines[0] ?? '', /hunter2/u, "what PostgreSQL's errors quote is not written down");
    assert.ok(lines[0]?.includes(String(answer.headers['request-id'])));
    assert.equal((await send('{"text":"a"}')).statusCode, 200);
  });
});

test('an overloaded server answers with varying Retry-After values', async () => {
  for (const [drawn, seconds] of [
    [0, '1'],
    [0.5, '3'],
    [0.99, '5'],
  ] as const) {
    random = drawn;
    const answer = await app.inject({ method: 'GET', url: '/busy' });
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], seconds);
  }
});

test('only refusals caused by the server are logged', async () => {
  await app.inject({ method: 'GET', url: '/blamed' });
  assert.match(lines.join(), /^\{"level":40,.*"code":"pool_exhausted",.*"route":"\/blamed".*\}\n$/u);
  lines.length = 0;
  await send('{');
  assert.deepEqual(lines, []);
});

test('user input is not in the log', async () => {
  await send('{"text": 5, "hunter2": "hunter2"}');
  await app.inject({ method: 'GET', url: '/hunter2?hunter2=hunter2' });
  assert.doesNotMatch(lines.join(), /hunter2/u);
});

test('only pages of allowed origins can use the API', async () => {
  const preflight = async (origin: string): Promise<LightMyRequestResponse> =>
    await app.inject({
      method: 'OPTIONS',
      url: '/echo',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
  assert.equal(
    (await preflight('https://allowed.example')).headers['access-control-allow-origin'],
    'https://allowed.example',
  );
  assert.equal((await preflight('https://other.example')).headers['access-control-allow-origin'], undefined);
});

test('OPTIONS answers with the methods of a path and the types of PATCH, also with CORS enabled', async () => {
  for (const headers of [{}, { origin: 'https://allowed.example', 'access-control-request-method': 'PATCH' }]) {
    const patched = await app.inject({ method: 'OPTIONS', url: '/patched', headers });
    assert.deepEqual([patched.statusCode, patched.body, patched.headers.allow], [204, '', 'OPTIONS, PATCH']);
    assert.equal(patched.headers['accept-patch'], 'application/json, application/merge-patch+json');
    const echo = await app.inject({ method: 'OPTIONS', url: '/echo', headers });
    assert.deepEqual([echo.statusCode, echo.headers['accept-patch']], [204, undefined]);
  }
});

test('only PATCH accepts a merge patch', async () => {
  const payload = '{"text":"a"}';
  const patch = async (type: string): Promise<LightMyRequestResponse> =>
    await app.inject({ method: 'PATCH', url: '/patched', headers: { 'content-type': type }, payload });
  for (const type of [
    'application/json',
    'application/merge-patch+json',
    'Application/Merge-Patch+JSON; charset=utf-8',
  ])
    assert.deepEqual((await patch(type)).json(), { text: 'a' }, type);
  for (const type of ['application/json-patch+json', 'text/plain']) {
    const refused = await patch(type);
    assert.equal(codeOf(refused), 'unsupported_media_type');
    assert.equal(refused.headers['accept-patch'], 'application/json, application/merge-patch+json');
  }
  const posted = await send(payload, { 'content-type': 'application/merge-patch+json' });
  assert.equal(codeOf(posted), 'unsupported_media_type');
  assert.equal(posted.headers['accept-patch'], undefined);
});
