import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createTestServer, listen, sendRaw } from '../../test/http-server.ts';
import { AppError } from '../lib/app-error.ts';
import type { HttpServer } from './server.ts';

const allowed = 'https://app.example';

interface Fixture {
  readonly app: HttpServer;
  readonly port: number;
}

async function create(corsOrigins: readonly string[]): Promise<Fixture> {
  const app = await createTestServer({ corsOrigins, requestTimeoutMs: 300 });
  app.get('/refused', async () => {
    throw new AppError('pool_exhausted');
  });
  app.post('/echo', async (request) => request.body);
  return { app, port: await listen(app) };
}

/** One server for all origins, one for a list. */
const fixtures: Fixture[] = [];
before(async () => {
  fixtures.push(await create(['*']), await create([allowed]));
});
after(async () => {
  for (const { app } of fixtures) {
    app.server.closeAllConnections();
    await app.close();
  }
});

/** The headers, except those that differ each time. */
function headersOf(head: string): Record<string, string> {
  const own = new Set(['content-length', 'request-id', 'date', 'connection', 'retry-after', 'keep-alive', 'allow']);
  const lines = head.split('\r\n').slice(1);
  const pairs = lines.map(
    (line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const,
  );
  return Object.fromEntries(pairs.filter(([name]) => !own.has(name)));
}

const host = (origin: string): string => `Host: x\r\nOrigin: ${origin}\r\n`;
const end = 'Connection: close\r\n\r\n';

/** Responses that bypass Fastify. */
const early: Readonly<Record<string, (origin: string) => readonly string[]>> = {
  'a request that is not valid': (origin) => [`GET * HTTP/1.1\r\n${host(origin)}${end}`],
  'an expectation that cannot be met': (origin) => [`GET /refused HTTP/1.1\r\n${host(origin)}Expect: more\r\n${end}`],
  'bytes that are no request': (origin) => [`GET /refused HTTP/1.1\r\n${host(origin)}X Y\r\n\r\n`],
  'headers that are too large': (origin) => [`GET / HTTP/1.1\r\n${host(origin)}X-A: ${'x'.repeat(4_000)}\r\n\r\n`],
  'a method that nobody knows': (origin) => [`BREW / HTTP/1.1\r\n${host(origin)}${end}`],
};

async function assertAlike({ port }: Fixture, request: (origin: string) => readonly string[]): Promise<void> {
  for (const origin of [allowed, 'https://other.example']) {
    const late = await sendRaw(port, `GET /refused HTTP/1.1\r\n${host(origin)}${end}`);
    const answer = await sendRaw(port, ...request(origin));
    assert.notEqual(answer.statusCode, late.statusCode);
    assert.deepEqual(headersOf(answer.head), headersOf(late.head));
    const requestId = /^Request-Id: (?<id>\S+)/imu.exec(answer.head)?.groups?.['id'];
    assert.ok(requestId !== undefined && answer.body.includes(`"request_id":"${requestId}"`));
  }
}

for (const [what, request] of Object.entries(early)) {
  test(`${what} has the headers of every other problem`, async () => {
    for (const fixture of fixtures) await assertAlike(fixture, request);
  });
}

test('the answer to a slow request has the headers of every other problem', async () => {
  for (const { port } of fixtures) {
    const late = await sendRaw(port, `GET /refused HTTP/1.1\r\n${host('https://other.example')}${end}`);
    const answer = await sendRaw(port, 'GET / HTTP/1.1\r\n');
    assert.equal(answer.statusCode, 408);
    assert.deepEqual(headersOf(answer.head), headersOf(late.head));
  }
});

test('every response forbids caching, unless its route allows it', async () => {
  for (const request of ['GET /refused HTTP/1.1', 'GET /nowhere HTTP/1.1', 'GET * HTTP/1.1', 'BREW / HTTP/1.1']) {
    const { head } = await sendRaw(fixtures[0]?.port ?? 0, `${request}\r\n${host(allowed)}${end}`);
    assert.deepEqual(head.match(/^cache-control: .*$/gimu), ['Cache-Control: no-store'], request);
  }
});
