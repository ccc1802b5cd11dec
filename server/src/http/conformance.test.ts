/** Requirements of RFC 9110 and 9112 that Node's parser leaves to the server. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { codeOf, createTestServer, listen, sendRaw, type RawAnswer } from '../../test/http-server.ts';
import { signalOf } from '../../test/signal-of.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { HttpServer } from './server.ts';

let app: HttpServer;
let port = 0;
let aborted = 0;
let running = 0;
let mostRunning = 0;

before(async () => {
  app = await createTestServer({ requestTimeoutMs: 5_000, corsOrigins: ['https://app.example'] });
  app.get('/host', async (request) => ({ host: request.headers.host, url: request.url }));
  app.post('/echo', async (request) => request.body);
  app.get('/slow', async () => {
    running += 1;
    mostRunning = Math.max(mostRunning, running);
    await sleep(150);
    running -= 1;
    return { slow: true };
  });
  app.get('/long', async (request) => {
    running += 1;
    await sleep(4_000, undefined, { signal: signalOf(request.lifetime) }).catch(() => (aborted += 1));
    running -= 1;
    return {};
  });
  port = await listen(app);
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});

const json = 'Content-Type: application/json\r\n';
const close = 'Connection: close\r\n';
const raw = async (...parts: readonly string[]): Promise<RawAnswer> => await sendRaw(port, ...parts);

/** Status lines in order of arrival. */
const statusesIn = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/gu)].map(([, status]) => Number(status));

describe('is refused with a problem', () => {
  const cases: readonly (readonly [what: string, request: string, status: number, code: string])[] = [
    ['a request without a host', 'GET /host HTTP/1.1\r\n\r\n', 400, 'malformed_request'],
    ['a request with two hosts', 'GET /host HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'malformed_request'],
    ['a request with one host twice', 'GET /host HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    ['two hosts in HTTP/1.0', 'GET /host HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'malformed_request'],
    ['an invalid host', 'GET /host HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'malformed_request'],
    ['a host with an invalid port', 'GET /host HTTP/1.1\r\nHost: a:b\r\n\r\n', 400, 'malformed_request'],
    ['GET of the whole server', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    ['a target with a user', 'GET http://user@a/host HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    ['a target of another scheme', 'GET ftp://a/host HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed_request'],
    ['an unknown expectation', `GET /host HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n`, 417, 'expectation_failed'],
    ['an unknown method', 'BREW /host HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'not_implemented'],
    ['a method in small letters', 'get /host HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'not_implemented'],
    ['a method of WebDAV', 'PROPFIND /host HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'not_implemented'],
    ['a tunnel', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'not_implemented'],
    ['another version', 'GET /host HTTP/2.0\r\nHost: a\r\n\r\n', 505, 'http_version_not_supported'],
    ['a header over two lines', 'GET /host HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n', 400, 'malformed_request'],
    ['a space before a colon', 'GET /host HTTP/1.1\r\nHost : a\r\n\r\n', 400, 'malformed_request'],
    [
      'a length beside chunks',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'malformed_request',
    ],
    [
      'two lengths',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
      'malformed_request',
    ],
    [
      'an unknown transfer coding',
      `POST /echo HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      501,
      'not_implemented',
    ],
    [
      'chunks in HTTP/1.0',
      `POST /echo HTTP/1.0\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'malformed_request',
    ],
  ];
  for (const [what, request, status, code] of cases) {
    test(what, async () => {
      const answer = await raw(request);
      assert.equal(answer.statusCode, status, answer.text);
      assert.equal(codeOf(answer), code);
      assert.match(answer.head, /^Content-Type: application\/problem\+json/imu);
      assert.match(answer.head, /^Connection: close/imu);
      assert.deepEqual(statusesIn(answer.text), [status], 'one answer');
    });
  }
});

describe('is answered', () => {
  const cases: readonly (readonly [what: string, request: string, body: string])[] = [
    ['HTTP/1.0 without a host', 'GET /host HTTP/1.0\r\n\r\n', '{"url":"/host"}'],
    ['an empty host', `GET /host HTTP/1.1\r\nHost:\r\n${close}\r\n`, '{"host":"","url":"/host"}'],
    ['an IPv6 host', `GET /host HTTP/1.1\r\nHost: [::1]:80\r\n${close}\r\n`, '{"host":"[::1]:80","url":"/host"}'],
    [
      'an absolute target, whose authority overrides the header',
      `GET http://b:80/host?c=d HTTP/1.1\r\nHost: a\r\n${close}\r\n`,
      '{"host":"b:80","url":"/host?c=d"}',
    ],
    [
      'an offer to switch protocols, which is ignored',
      'GET /host HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n',
      '{"host":"a","url":"/host"}',
    ],
    [
      'GET with a body, which is ignored',
      `GET /host HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n${close}\r\n{}`,
      '{"host":"a","url":"/host"}',
    ],
    [
      'a body in chunks with trailers',
      `POST /echo HTTP/1.1\r\nHost: a\r\n${json}${close}Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n9\r\n{"a":"b"}\r\n0\r\nX-A: b\r\n\r\n`,
      '{"a":"b"}',
    ],
  ];
  for (const [what, request, body] of cases) {
    test(what, async () => {
      const answer = await raw(request);
      assert.equal(answer.statusCode, 200, answer.text);
      assert.equal(answer.body, body);
    });
  }

  test('QUERY like every known method without a route: not with 501', async () => {
    assert.equal((await raw(`QUERY /host HTTP/1.1\r\nHost: a\r\n${close}\r\n`)).statusCode, 404);
  });

  test('OPTIONS * with the known methods', async () => {
    const answer = await raw(`OPTIONS * HTTP/1.1\r\nHost: a\r\n${close}\r\n`);
    assert.equal(answer.statusCode, 200);
    assert.match(answer.head, /^Allow: .*GET.*POST/mu);
    assert.match(answer.head, /^Content-Length: 0/mu);
  });

  test('a client with Expect: 100-continue gets 100 only if its body will be read', async () => {
    const head = `Content-Length: 2\r\n${json}Expect: 100-continue\r\n${close}\r\n`;
    const wanted = await raw(`POST /echo HTTP/1.1\r\nHost: a\r\n${head}`, '{}');
    assert.deepEqual(statusesIn(wanted.text), [100, 200]);
    const refused = await raw(`POST /echo HTTP/1.1\r\nHost: a/b\r\n${head}`);
    assert.deepEqual(statusesIn(refused.text), [400]);
  });

  test('HTTP/1.0 with a close, or with keep-alive if requested', async () => {
    assert.match((await raw('GET /host HTTP/1.0\r\n\r\n')).head, /^Connection: close/imu);
    const both = await raw('GET /host HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 'GET /host HTTP/1.0\r\n\r\n');
    assert.deepEqual(statusesIn(both.text), [200, 200]);
  });

  test('the request after a GET with a body, as a separate request', async () => {
    const inner = 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(
      `GET /host HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      `POST /echo HTTP/1.1\r\nHost: a\r\n${json}${close}Content-Length: 2\r\n\r\n[]`,
    );
    assert.deepEqual(statusesIn(answer.text), [200, 200]);
    assert.ok(answer.text.endsWith('[]'));
  });
});

describe('pipelined requests', () => {
  test('are answered in order', async () => {
    const last = `GET /host?3 HTTP/1.1\r\nHost: a\r\n${close}\r\n`;
    const answer = await raw('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /host?2 HTTP/1.1\r\nHost: a\r\n\r\n', last);
    const bodies = [...answer.text.matchAll(/\{.*?\}/gu)].map(([body]) => body);
    assert.deepEqual(bodies, ['{"slow":true}', '{"host":"a","url":"/host?2"}', '{"host":"a","url":"/host?3"}']);
  });

  test('are bounded: beyond a hundred per connection they are refused, in order', async () => {
    mostRunning = 0;
    const one = 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(one.repeat(300), `GET /host HTTP/1.1\r\nHost: a\r\n${close}\r\n`);
    const statuses = statusesIn(answer.text);
    assert.equal(mostRunning, 100);
    assert.deepEqual(
      statuses.slice(0, 100),
      Array.from({ length: 100 }, () => 200),
    );
    assert.equal(statuses.filter((status) => status === 503).length >= 200, true, statuses.join(' '));
    assert.equal(statuses.length, 301);
  });
});

describe('a client that closes its side of the connection', () => {
  /** Sends a request, closes its side, and resolves with everything received. */
  async function halfClose(request: string): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.end(request);
    await waitFor('the end', () => socket.readableEnded);
    socket.destroy();
    return text;
  }

  test('gets the answer to its request', async () => {
    const text = await halfClose('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(text, /HTTP\/1\.1 200 OK.*\{"slow":true\}$/su);
    assert.match(await halfClose('GET /host HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200/u);
  });

  test('gets all responses to pipelined requests', async () => {
    const one = 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n';
    assert.deepEqual(statusesIn(await halfClose(one + one)), [200, 200]);
  });

  test('gets no interim response with HTTP/1.0', async () => {
    assert.match(await halfClose('GET /slow HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200/u);
  });

  test('in the middle of a request gets a 400', async () => {
    const text = await halfClose(`POST /echo HTTP/1.1\r\nHost: a\r\n${json}Content-Length: 5\r\n\r\n{`);
    assert.deepEqual(statusesIn(text), [400]);
  });

  test('and has disconnected is detected: its request is aborted', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /long HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor('it to be at work', () => running > 0);
    socket.destroy();
    await waitFor('it to be aborted', () => aborted === 1);
  });
});
