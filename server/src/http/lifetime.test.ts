import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Type } from 'typebox';

import { codeOf, createTestServer, listen, sendRaw, type RawAnswer } from '../../test/http-server.ts';
import { signalOf } from '../../test/signal-of.ts';
import { waitFor } from '../../test/wait-for.ts';
import { AppError } from '../lib/app-error.ts';
import { createLog } from '../telemetry/log.ts';
import { ClientGoneError, exchangeOf, type Exchange } from './exchange.ts';
import { collectMethods } from './method-not-allowed.ts';
import type { HttpServer } from './server.ts';

const requestTimeoutMs = 400;
const largeBytes = 16 * 1_048_576;
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
let app: HttpServer;
let port = 0;
/** Whether a slow request is in flight, and why its lifetime ended. */
let isRunning = false;
let ended: unknown;
/** End the handler of `/late`. */
let late: PromiseWithResolvers<object>;
/** Whether the response of `/large` was aborted. */
let isCut = false;

before(async () => {
  app = await createTestServer({ requestTimeoutMs, log });
  const methods = collectMethods(app);
  app.post('/echo', { schema: { body: Type.Object({ text: Type.String() }) } }, async (request) => request.body);
  const slow = async (lifetime: AbortSignal): Promise<object> => {
    isRunning = true;
    lifetime.addEventListener('abort', () => {
      ended = lifetime.reason;
    });
    await sleep(5_000, undefined, { signal: lifetime }).catch(() => lifetime.throwIfAborted());
    return {};
  };
  app.get('/slow', async (request) => slow(signalOf(request.lifetime)));
  app.post('/slow', async (request) => slow(signalOf(request.lifetime)));
  app.route({
    method: ['GET', 'POST'],
    url: '/late',
    handler: async () => {
      late = Promise.withResolvers();
      return await late.promise;
    },
  });
  app.get('/large', async (_request, reply) => {
    reply.raw.once('close', () => {
      isCut = !reply.raw.writableFinished;
    });
    return await reply.type('text/plain').send('x'.repeat(largeBytes));
  });
  methods.close();
  port = await listen(app);
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

const json = { 'content-type': 'application/json' };

async function raw(...parts: readonly string[]): Promise<RawAnswer> {
  return await sendRaw(port, ...parts);
}

test('an exchange releases its request and response at the end, although statements hold it longer', async () => {
  const exchanges: Exchange[] = [];
  app.server.once('request', (request: IncomingMessage) => exchanges.push(exchangeOf(request)));
  await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', headers: json, body: '{"text":"a"}' });
  assert.equal(exchanges.length, 1);
  await waitFor('the end', () =>
    exchanges.every(({ response, reply }) => response === undefined && reply === undefined),
  );
});

describe('deadlines', () => {
  test('a late handler is answered with 408, and aborted', async () => {
    for (const method of ['GET', 'POST'] as const) {
      const began = performance.now();
      const answer = await app.inject({ method, url: '/slow' });
      assert.ok(performance.now() - began >= requestTimeoutMs, 'no request has less than its time');
      assert.equal(answer.statusCode, 408);
      assert.equal(codeOf(answer), 'request_timeout');
      assert.equal(answer.headers.connection, 'close');
      assert.ok(ended instanceof AppError);
    }
  });

  test('a late write that cannot be cancelled is not a 408, after which clients would retry', async () => {
    const answer = await app.inject({ method: 'POST', url: '/late', headers: json, payload: '{}' });
    assert.equal(answer.statusCode, 504);
    assert.equal(codeOf(answer), 'outcome_unknown');
    assert.equal(answer.headers['retry-after'], undefined);
    late.resolve({ too: 'late' });
    assert.equal((await app.inject({ method: 'POST', url: '/echo', payload: { text: 'a' } })).statusCode, 200);
  });

  test('an error of a handler after its deadline is ignored', async () => {
    const answer = await app.inject({ method: 'GET', url: '/late' });
    assert.equal(answer.statusCode, 408);
    late.reject(new Error('too late to matter'));
    assert.equal((await app.inject({ method: 'POST', url: '/echo', payload: { text: 'a' } })).statusCode, 200);
    assert.deepEqual(lines, []);
  });

  test('a result of a handler after its deadline is ignored', async () => {
    const answer = await sendRaw(port, 'GET /late HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal(codeOf(answer), 'request_timeout');
    late.resolve({ too: 'late' });
    assert.equal((await app.inject({ method: 'POST', url: '/echo', payload: { text: 'a' } })).statusCode, 200);
    assert.deepEqual(lines, []);
  });

  test('a client that does not read its response is disconnected', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the cut', () => isCut, 5_000);
    socket.destroy();
  });

  test("a body that does not arrive is answered at the request's deadline", async () => {
    const payload = new Readable({ read: () => undefined });
    const headers = { ...json, 'content-length': '100' };
    const answer = await app.inject({ method: 'POST', url: '/echo', headers, payload });
    assert.equal(answer.statusCode, 408);
    payload.destroy();
  });

  test("the end of a POST's body does not count as a disconnect", async () => {
    const answer = await app.inject({ method: 'POST', url: '/slow', headers: json, payload: '{}' });
    assert.equal(answer.statusCode, 408);
    assert.ok(ended instanceof AppError);
  });

  test('a disconnect aborts the request', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor('the handler to run', () => isRunning);
    socket.destroy();
    await waitFor('the handler to be told', () => ended instanceof ClientGoneError, requestTimeoutMs);
    assert.deepEqual(lines, []);
  });

  test('a body that does not arrive is a 408, and the connection is closed', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    assert.equal(answer.statusCode, 408);
    assert.equal(codeOf(answer), 'request_timeout');
  });

  test('incomplete headers are a 408, and the connection is closed', async () => {
    const answer = await raw('GET /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    assert.equal(answer.statusCode, 408);
    assert.ok(answer.tookMs < requestTimeoutMs + 3_000, `${answer.tookMs} ms: a second late is the plan`);
    assert.equal(codeOf(answer), 'request_timeout');
  });
});

describe('bodies of refused requests', () => {
  test('have the same deadline as other bodies, although the refusal does not wait for them', async () => {
    for (const head of ['POST /nowhere', 'PUT /echo', 'POST /echo']) {
      const headers = 'Host: x\r\nContent-Type: text/plain\r\nContent-Length: 100000';
      const answer = await raw(`${head} HTTP/1.1\r\n${headers}\r\n\r\n{`);
      assert.ok([404, 405, 415].includes(answer.statusCode), head);
      assert.ok(answer.tookMs < 5 * requestTimeoutMs, head);
    }
  });

  test('keep the connection open when they arrive', async () => {
    for (const url of ['/nowhere', '/echo']) {
      const refused = `PUT ${url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n`;
      const answer = await raw(refused, '{}', 'GET /late? HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      assert.match(answer.body, /HTTP\/1\.1 408/u, url);
    }
  });
});
