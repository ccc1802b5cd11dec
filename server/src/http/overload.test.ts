import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { codeOf, createTestServer, listen, sendRaw } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { Turn } from '../lib/turn.ts';
import { createLog } from '../telemetry/log.ts';
import { Connections } from './connections.ts';
import { collectMethods } from './method-not-allowed.ts';
import type { HttpServer } from './server.ts';

/** More than the concurrency that is always admitted. */
const many = 80;
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
class CountedTurn extends Turn {
  ticks = 0;

  override tick(): void {
    this.ticks += 1;
  }
}

const turn = new CountedTurn({ now: () => 0 });
let app: HttpServer;
let connections: Connections;
let port = 0;
let now = 0;
let dice = 0.5;
let running = 0;
let finish: () => void = () => undefined;
let stuck: Promise<unknown>[] = [];

beforeEach(async () => {
  connections = new Connections({ total: 100, perAddress: 0 });
  app = await createTestServer({
    connections,
    requestTimeoutMs: 400,
    log,
    clock: { now: () => now },
    random: () => dice,
    turn,
    maxQueueMs: 100,
    corsOrigins: ['https://app.example'],
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  finish = resolve;
  running = 0;
  const methods = collectMethods(app);
  app.get('/stuck', async () => {
    running += 1;
    await promise;
    return {};
  });
  app.post('/things', async () => ({}));
  for (const url of ['/livez', '/readyz', '/health', '/metrics', '/ops', '/ops/stream']) app.get(url, async () => ({}));
  methods.close();
  port = await listen(app);
  lines.length = 0;
  stuck = [];
  dice = 0.5;
});
afterEach(async () => {
  finish();
  await Promise.all(stuck);
  app.server.closeAllConnections();
  await app.close();
});

/** Causes a standing queue with many slow requests. */
async function overload(): Promise<void> {
  for (let n = 0; n < many; n += 1) stuck.push(fetch(`http://127.0.0.1:${port}/stuck`));
  await waitFor('the requests to be at work', () => running === many);
  now += 110;
  await (await fetch(`http://127.0.0.1:${port}/livez`)).text();
  now += 110;
}

const head = 'HTTP/1.1\r\nHost: x\r\n';

test('an overloaded server answers early with 503, Retry-After and an id, without waiting for the body', async () => {
  await overload();
  const answer = await sendRaw(port, `POST /things ${head}Connection: close\r\nContent-Length: 1000\r\n\r\n{`);
  assert.equal(codeOf(answer), 'overloaded');
  assert.match(answer.head, /^HTTP\/1\.1 503 /u);
  assert.match(answer.head, /^Retry-After: 3$/mu);
  assert.match(answer.head, /^Request-Id: test-\d+$/mu);
  assert.match(answer.head, /^X-Content-Type-Options: nosniff$/mu);
});

test('a refusal by a stopping server closes its connection', async () => {
  await overload();
  connections.areClosing = true;
  const answer = await sendRaw(port, `GET /stuck ${head}\r\n`);
  assert.equal(codeOf(answer), 'overloaded');
  assert.match(answer.head, /^Connection: close$/mu);
});

test('a preflight is still answered, and a page can read the refusal', async () => {
  await overload();
  const origin = 'Origin: https://app.example\r\nConnection: close\r\n';
  const preflight = `OPTIONS /things ${head}${origin}Access-Control-Request-Method: POST\r\n\r\n`;
  assert.equal((await sendRaw(port, preflight)).statusCode, 204);
  const refused = await sendRaw(port, `POST /things ${head}${origin}\r\n`);
  assert.equal(codeOf(refused), 'overloaded');
  assert.match(refused.head, /^Access-Control-Allow-Origin: https:\/\/app\.example$/mu);
  assert.match(refused.head, /^Access-Control-Expose-Headers: .*retry-after/mu);
  assert.equal((await sendRaw(port, `OPTIONS /things ${head}${origin}\r\n`)).statusCode, 503);
});

test('each request ticks, so continuous refusals block no other work', async () => {
  await overload();
  turn.ticks = 0;
  await (await fetch(`http://127.0.0.1:${port}/livez`)).text();
  assert.equal(turn.ticks, 1);
  assert.equal((await fetch(`http://127.0.0.1:${port}/things`, { method: 'POST' })).status, 503);
  assert.equal(turn.ticks, 2);
});

test('a refusal is sent in the turn in which the request arrives, without reading its body', async () => {
  await overload();
  const refused: object[] = [];
  app.server.on('request', ({ readableFlowing }, { statusCode, writableEnded }) => {
    refused.push({ statusCode, isWhole: writableEnded, isBodyAsked: readableFlowing !== null });
  });
  await sendRaw(port, `POST /things ${head}Connection: close\r\nContent-Length: 5\r\n\r\nGET /`);
  assert.deepEqual(refused, [{ statusCode: 503, isWhole: true, isBodyAsked: false }]);
});

test('Retry-After is evenly distributed between one and five seconds', async () => {
  await overload();
  const told: (string | undefined)[] = [];
  for (dice of [0, 0.199, 0.2, 0.5, 0.799, 0.8, 0.999]) {
    const answer = await sendRaw(port, `GET / ${head}Connection: close\r\n\r\n`);
    told.push(/^Retry-After: (.*)$/mu.exec(answer.head)?.[1]?.trim());
  }
  assert.deepEqual(told, ['1', '1', '2', '3', '4', '5', '5']);
});

test('health and metrics are still served, also with an absolute target', async () => {
  await overload();
  const statusOf = async (address: string): Promise<number> =>
    (await sendRaw(port, `GET ${address} ${head}Connection: close\r\n\r\n`)).statusCode;
  for (const path of ['/livez', '/readyz', '/health', '/metrics', '/ops', '/ops/stream'])
    for (const end of ['', '/', '?x', '/?x=/']) assert.equal(await statusOf(path + end), 200, path + end);
  for (const address of ['/things?/livez', '/opsx', '/livez/x', '/?/ops'])
    assert.equal(await statusOf(address), 503, address);
});

test('the connection of a refused request continues after its unread body', async () => {
  await overload();
  const text = await sendRaw(
    port,
    `POST /things ${head}Content-Length: 5\r\n\r\n`,
    'GET /',
    `GET /livez ${head}Connection: close\r\n\r\n`,
  );
  assert.match(text.text, /^HTTP\/1\.1 503 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*\{\}$/u);
});

test('the body of a refused request has the same deadline as others', async () => {
  await overload();
  const answer = await sendRaw(port, `POST /things ${head}Content-Length: 1000\r\n\r\n{`);
  assert.equal(answer.statusCode, 503);
  assert.ok(answer.tookMs < 5_000, `${answer.tookMs} ms: a second late is the plan`);
});

test('after recovery, requests are admitted again', async () => {
  await overload();
  finish();
  await Promise.all(stuck);
  now += 200;
  const answer = await fetch(`http://127.0.0.1:${port}/livez`);
  assert.equal(answer.status, 200);
  const created = await fetch(`http://127.0.0.1:${port}/things`, { method: 'POST' });
  assert.equal(created.status, 200);
});

test('refusals are logged once a second, not one by one', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  await overload();
  for (let n = 0; n < 10; n += 1) {
    assert.equal((await sendRaw(port, `GET / ${head}Connection: close\r\n\r\n`)).statusCode, 503);
  }
  assert.equal(lines.length, 1);
  context.mock.timers.tick(1_000);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /"code":"overloaded",.*"count":9,"msg":"requests were refused"/u);
  context.mock.timers.tick(5_000);
  assert.equal(lines.length, 2);
});
