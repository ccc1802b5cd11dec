import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { codeOf, createTestServer, listen, sendRaw, type RawAnswer } from '../../test/http-server.ts';
import { signalOf } from '../../test/signal-of.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { HttpServer } from './server.ts';

const requestTimeoutMs = 400;
const largeBytes = 16 * 1_048_576;
let app: HttpServer;
let port = 0;

before(async () => {
  app = await createTestServer({ requestTimeoutMs });
  app.post('/echo', async (request) => request.body);
  app.get('/busy', async () => ({}));
  app.get('/slow', async (request) => {
    await sleep(5_000, undefined, { signal: signalOf(request.lifetime) }).catch(() => undefined);
    return {};
  });
  app.get('/large', async (_request, reply) => reply.type('text/plain').send('x'.repeat(largeBytes)));
  port = await listen(app);
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});

async function countConnections(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  app.server.getConnections((_error, count) => resolve(count));
  return await promise;
}

async function raw(...parts: readonly string[]): Promise<RawAnswer> {
  return await sendRaw(port, ...parts);
}

describe('bytes that are not a valid request', () => {
  test('headers that are too large are a 431', async () => {
    const answer = await raw(`GET /busy HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(4_000)}\r\n\r\n`);
    assert.equal(answer.statusCode, 431);
    assert.equal(codeOf(answer), 'headers_too_large');
  });

  test('chunk extensions that are too long are a 413', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      `1;${'x'.repeat(20_000)}`,
    );
    assert.equal(codeOf(answer), 'body_too_large');
  });

  test('in a chunked body are a 400', async () => {
    const answer = await raw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    );
    assert.equal(codeOf(answer), 'malformed_request');
  });

  test('are not answered in place of the previous request', async () => {
    const answer = await raw('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', 'nonsense\r\n\r\n');
    assert.equal(codeOf(answer), 'request_timeout');
    assert.equal(answer.text.split('HTTP/1.1').length, 2, 'one answer');
  });

  test('add nothing to a response that is being sent, or after it', async () => {
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

  test('are answered once, and the connection is closed', async () => {
    await waitFor('earlier connections to close', async () => (await countConnections()) === 0);
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write('nonsense\r\n\r\n');
    socket.resume();
    await once(socket, 'end');
    await waitFor('the connection to close', async () => (await countConnections()) === 0, 4_000);
    socket.destroy();
  });

  test('malformed bytes are a 400', async () => {
    for (const nonsense of [
      'hello\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\r\n\r\n',
      'GET / HTTP/1.1\r\nHost x\r\n\r\n',
    ]) {
      const answer = await raw(nonsense);
      assert.equal(answer.statusCode, 400, JSON.stringify(nonsense));
      assert.equal(codeOf(answer), 'malformed_request');
      assert.match(answer.head, /connection: close/iu);
    }
  });

  test('an ambiguous request is a 400', async () => {
    const smuggled =
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    assert.equal((await raw(smuggled)).statusCode, 400);
  });
});
