import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Problem } from '@messenger/protocol/errors';
import type { LightMyRequestResponse } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { waitFor } from '../../test/wait-for.ts';
import { AppError } from '../lib/app-error.ts';
import { createLog } from '../telemetry/log.ts';
import { ClientGoneError } from './lifetime.ts';
import { collectMethods } from './method-not-allowed.ts';
import { createHttpServer, type HttpOptions, type HttpServer } from './server.ts';

const requestTimeoutMs = 400;
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
let app: HttpServer;
let port = 0;
/** Whether a slow request is being handled, and why its lifetime ended. */
let isRunning = false;
let ended: unknown;
/** Fails the handler of `/late`. */
let failLate: (error: Error) => void = () => assert.fail('/late was not called');
/** Whether the answer of `/large` was cut. */
let isCut = false;
let requests = 0;

const options: HttpOptions = {
  requestTimeoutMs,
  maxConnections: 100,
  maxBodyBytes: 2_048,
  maxHeaderBytes: 2_048,
  corsOrigins: ['https://allowed.example'],
  log,
  newRequestId: () => `test-${(requests += 1)}`,
};

before(async () => {
  app = await createHttpServer(options);
  const methods = collectMethods(app);
  app.post('/echo', { schema: { body: Type.Object({ text: Type.String() }) } }, async (request) => request.body);
  app.get('/defect', async () => {
    throw Object.assign(new TypeError('secret inner state'), { detail: 'hunter2', where: 'hunter2' });
  });
  app.get('/busy', async () => {
    throw new AppError('pool_exhausted');
  });
  const slow = async (lifetime: AbortSignal): Promise<object> => {
    isRunning = true;
    lifetime.addEventListener('abort', () => {
      ended = lifetime.reason;
    });
    await sleep(5_000, undefined, { signal: lifetime }).catch(() => undefined);
    return {};
  };
  app.get('/slow', async (request) => slow(request.lifetime));
  app.post('/slow', async (request) => slow(request.lifetime));
  app.get('/things/:id', async () => ({}));
  app.get('/late', async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    failLate = reject;
    return await promise;
  });
  app.get('/large', async (_request, reply) => {
    reply.raw.once('close', () => {
      isCut = !reply.raw.writableFinished;
    });
    return await reply.type('text/plain').send('x'.repeat(largeBytes));
  });
  methods.close();
  port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});
beforeEach(() => {
  lines.length = 0;
  isRunning = false;
  ended = undefined;
  isCut = false;
});

const largeBytes = 16 * 1_048_576;

async function countConnections(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  app.server.getConnections((_error, count) => resolve(count));
  return await promise;
}

const json = { 'content-type': 'application/json' };

async function send(body: string | Buffer, headers: Record<string, string> = json): Promise<LightMyRequestResponse> {
  return await app.inject({ method: 'POST', url: '/echo', headers, payload: body });
}

function codeOf(answer: { readonly statusCode: number; readonly body: string }): string {
  const problem: unknown = JSON.parse(answer.body);
  const { code, status } = Value.Parse(Problem, problem);
  assert.equal(status, answer.statusCode);
  return code;
}

/** Sends bytes as they are, and resolves with all that comes back until the connection closes. */
async function raw(
  ...parts: readonly string[]
): Promise<{ text: string; head: string; statusCode: number; body: string; tookMs: number }> {
  const began = performance.now();
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('close', () => resolve());
  for (const part of parts) socket.write(part);
  await promise;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { text, head, body, statusCode: Number(head.split(' ')[1]), tookMs: performance.now() - began };
}

describe('bodies', () => {
  test('that are not JSON are a 400', async () => {
    for (const body of ['{', '{"text": }', 'text', '{"text": "a"} x']) {
      const answer = await send(body);
      assert.equal(answer.statusCode, 400, body);
      assert.equal(codeOf(answer), 'malformed_json');
    }
  });

  test('that would change the prototype of what reads them are a 400', async () => {
    for (const body of ['{"__proto__": {"a": 1}}', '{"text": "a", "constructor": {"prototype": {"a": 1}}}']) {
      assert.equal(codeOf(await send(body)), 'malformed_json', body);
    }
  });

  test('shorter or longer than they say are a 400', async () => {
    assert.equal(codeOf(await send('{}', { ...json, 'content-length': '9' })), 'malformed_request');
  });

  test('that are not UTF-8 are a 400, instead of being stored mutilated', async () => {
    const answer = await send(Buffer.from('7b2274657874223a22ff227d', 'hex'));
    assert.equal(answer.statusCode, 400);
    assert.equal(codeOf(answer), 'malformed_json');
  });

  test('that are missing are a 400', async () => {
    assert.equal(codeOf(await send('')), 'invalid_request');
    assert.equal(codeOf(await app.inject({ method: 'POST', url: '/echo' })), 'invalid_request');
  });

  test('of another kind, or encoded, are a 415', async () => {
    assert.equal(
      codeOf(await send('text=a', { 'content-type': 'application/x-www-form-urlencoded' })),
      'unsupported_media_type',
    );
    assert.equal(codeOf(await send('{}', { 'content-type': 'text/plain' })), 'unsupported_media_type');
    assert.equal(codeOf(await send('{}', { ...json, 'content-encoding': 'gzip' })), 'unsupported_media_type');
  });

  test('that say that they are not encoded are read', async () => {
    assert.equal((await send('{"text":"a"}', { ...json, 'content-encoding': 'identity' })).statusCode, 200);
  });

  test('with a charset are read', async () => {
    assert.equal((await send('{"text":"ü"}', { 'content-type': 'application/json; charset=utf-8' })).statusCode, 200);
  });

  test('that are too large are a 413', async () => {
    const answer = await send(JSON.stringify({ text: 'x'.repeat(3_000) }));
    assert.equal(answer.statusCode, 413);
    assert.equal(codeOf(answer), 'body_too_large');
  });
});

describe('addresses and methods', () => {
  test('an unknown address is a 404, and its body is not read', async () => {
    const answer = await app.inject({ method: 'POST', url: '/nowhere', headers: json, payload: '{' });
    assert.equal(codeOf(answer), 'not_found');
  });

  test('an unknown method of a known address is a 405 with Allow, and its body is not read', async () => {
    const answer = await app.inject({ method: 'PUT', url: '/echo', headers: json, payload: '{' });
    assert.equal(answer.statusCode, 405);
    assert.equal(answer.headers.allow, 'POST');
    assert.equal(codeOf(answer), 'method_not_allowed');
    assert.equal((await app.inject({ method: 'DELETE', url: '/busy' })).headers.allow, 'GET, HEAD');
  });

  test('an address that cannot be decoded is a 400', async () => {
    const answer = await app.inject({ method: 'GET', url: '/%zz' });
    assert.equal(codeOf(answer), 'malformed_request');
  });
});

test('a part of an address that is too long is a 400', async () => {
  const answer = await app.inject({ method: 'GET', url: `/things/${'x'.repeat(150)}` });
  assert.equal(answer.statusCode, 400);
  assert.equal(codeOf(answer), 'invalid_request');
});

describe('a defect', () => {
  test('is a 500 without detail, logged once with its stack and the request id; the server goes on', async () => {
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

test('an overloaded server says when to come back', async () => {
  const answer = await app.inject({ method: 'GET', url: '/busy' });
  assert.equal(answer.statusCode, 503);
  assert.equal(answer.headers['retry-after'], '1');
});

test('a refusal is told to the operator when the server is to blame, and only then', async () => {
  await app.inject({ method: 'GET', url: '/busy' });
  assert.match(lines.join(), /^\{"level":40,.*"code":"pool_exhausted","route":"\/busy".*\}\n$/u);
  lines.length = 0;
  await send('{');
  assert.deepEqual(lines, []);
});

test('connections beyond the limit are closed, and those within it go on', async () => {
  const small = await createHttpServer({ ...options, maxConnections: 1 });
  const { port: smallPort } = new URL(await small.listen({ host: '127.0.0.1', port: 0 }));
  const [first, second] = [connect(Number(smallPort), '127.0.0.1'), connect(Number(smallPort), '127.0.0.1')];
  let told = '';
  second.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  second.on('error', () => undefined);
  await waitFor('the second to be closed', () => second.destroyed);
  assert.equal(told, '', 'it was not heard at all; a silent one is told that it is late');
  first.destroy();
  await small.close();
});

test('what users typed is in no log line', async () => {
  await send('{"text": 5, "hunter2": "hunter2"}');
  await app.inject({ method: 'GET', url: '/hunter2?hunter2=hunter2' });
  assert.doesNotMatch(lines.join(), /hunter2/u);
});

test('every answer has the security headers, refusals too', async () => {
  for (const url of ['/busy', '/nowhere']) {
    const { headers } = await app.inject({ method: 'GET', url });
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(String(headers['content-security-policy']), /default-src 'none'/u);
  }
});

test('pages of allowed origins may use the API, others may not', async () => {
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

describe('time', () => {
  test('a handler that is late is answered for, with 408, and told', async () => {
    for (const method of ['GET', 'POST'] as const) {
      const answer = await app.inject({ method, url: '/slow' });
      assert.equal(answer.statusCode, 408);
      assert.equal(codeOf(answer), 'request_timeout');
      assert.equal(answer.headers.connection, 'close');
      assert.ok(ended instanceof AppError);
    }
  });

  test('what a late handler fails with has nobody to go to, and hurts nobody', async () => {
    const answer = await app.inject({ method: 'GET', url: '/late' });
    assert.equal(answer.statusCode, 408);
    failLate(new Error('too late to matter'));
    assert.equal((await send('{"text":"a"}')).statusCode, 200);
    assert.deepEqual(lines, []);
  });

  test('a client that does not read its answer is cut', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the cut', () => isCut, 5_000);
    socket.destroy();
  });

  test('a body that does not come is answered when the time of its request is over', async () => {
    const payload = new Readable({ read: () => undefined });
    const answer = await app.inject({ method: 'POST', url: '/echo', headers: json, payload });
    assert.equal(answer.statusCode, 408);
    payload.destroy();
  });

  test('a POST whose body has arrived is not taken for abandoned', async () => {
    const answer = await app.inject({ method: 'POST', url: '/slow', headers: json, payload: '{}' });
    assert.equal(answer.statusCode, 408);
    assert.ok(ended instanceof AppError);
  });

  test('a client that goes away ends its request', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the handler to run', () => isRunning);
    socket.destroy();
    await waitFor('the handler to be told', () => ended instanceof ClientGoneError, requestTimeoutMs);
    assert.deepEqual(lines, []);
  });

  test('a body that does not come is a 408, and the connection is closed', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    assert.equal(answer.statusCode, 408);
    assert.equal(codeOf(answer), 'request_timeout');
  });

  test('headers that do not end are a 408, and the connection is closed', async () => {
    const answer = await raw('GET /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    assert.equal(answer.statusCode, 408);
    assert.ok(answer.tookMs < requestTimeoutMs + 3_000, `${answer.tookMs} ms: a second late is the plan`);
    assert.equal(codeOf(answer), 'request_timeout');
  });
});

describe('bodies of refused requests', () => {
  test('have no more time than other bodies, though the refusal does not wait for them', async () => {
    for (const head of ['POST /nowhere', 'PUT /echo', 'POST /echo']) {
      const headers = 'Host: x\r\nContent-Type: text/plain\r\nContent-Length: 100000';
      const answer = await raw(`${head} HTTP/1.1\r\n${headers}\r\n\r\n{`);
      assert.ok([404, 405, 415].includes(answer.statusCode), head);
      assert.ok(answer.tookMs < 5 * requestTimeoutMs, head);
    }
  });

  test('cost nobody the connection when they arrive', async () => {
    for (const url of ['/nowhere', '/echo']) {
      const refused = `PUT ${url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n`;
      const answer = await raw(refused, '{}', 'GET /busy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      assert.match(answer.body, /HTTP\/1\.1 503/u, url);
    }
  });
});

describe('bytes that are no request', () => {
  test('headers that are too large are a 431', async () => {
    const answer = await raw(`GET /busy HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(4_000)}\r\n\r\n`);
    assert.equal(answer.statusCode, 431);
    assert.equal(codeOf(answer), 'headers_too_large');
  });

  test('chunks with too much beside them are a 413', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      `1;${'x'.repeat(20_000)}`,
    );
    assert.equal(codeOf(answer), 'body_too_large');
  });

  test('that break a body off are a 400', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    );
    assert.equal(codeOf(answer), 'malformed_request');
  });

  test('are not taken for the answer to the request before them', async () => {
    const answer = await raw('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', 'nonsense\r\n\r\n');
    assert.equal(codeOf(answer), 'request_timeout');
    assert.equal(answer.text.split('HTTP/1.1').length, 2, 'one answer');
  });

  test('do not get into an answer that is on its way, nor behind it', async () => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      if (chunks.length === 0) socket.write('nonsense\r\n\r\n');
      chunks.push(chunk);
    });
    await waitFor('the connection to close', () => socket.destroyed);
    const [, body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
    assert.equal(body.length, largeBytes);
    assert.match(body.slice(-1_000), /^x+$/u);
  });

  test('are answered once: who does not hang up then is cut', async () => {
    await waitFor('earlier connections to close', async () => (await countConnections()) === 0);
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write('nonsense\r\n\r\n');
    socket.resume();
    await once(socket, 'end');
    await waitFor('the connection to close', async () => (await countConnections()) === 0, 2_000);
    socket.destroy();
  });

  test('nonsense is a 400', async () => {
    for (const nonsense of [
      'hello\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\r\n\r\n',
      'GET / HTTP/1.1\r\nHost x\r\n\r\n',
    ]) {
      const answer = await raw(nonsense);
      assert.equal(answer.statusCode, 400, JSON.stringify(nonsense));
      assert.equal(codeOf(answer), 'malformed_request');
      assert.match(answer.head, /connection: close/iu);
    }
  });

  test('a request that could be read in two ways is a 400', async () => {
    const smuggled =
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    assert.equal((await raw(smuggled)).statusCode, 400);
  });
});
