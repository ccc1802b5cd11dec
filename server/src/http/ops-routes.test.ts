import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { liveAt, noWatch } from '../../test/collections.ts';
import { codeOf, createTestServer, listen } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';

import type { AskLive } from '../telemetry/live.ts';
import { observeHttpBy } from './observer.ts';
import { createLog } from '../telemetry/log.ts';
import type { HttpOptions, HttpServer } from './server.ts';
import { opsRoutes } from './ops-routes.ts';
import { WrongTokens } from './wrong-tokens.ts';

const token = 'correct-horse-battery';

interface Options {
  readonly live?: AskLive;
  readonly token?: string;
  readonly isDraining?: () => boolean;
  readonly http?: Partial<HttpOptions>;
}

let now = 0;
const told: string[] = [];
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);

async function create({ live = noWatch.live, isDraining = () => false, http, ...guard }: Options = {}) {
  const app = await createTestServer(http);
  const wrongTokens = new WrongTokens({ clock: { now: () => now }, log, tell: (address) => void told.push(address) });
  await opsRoutes(app, { live, isDraining, guard: { token: guard.token, isOpen: false, wrongTokens } });
  return app;
}

/** A connected page, and the events that it has received. */
async function openStream(port: number): Promise<{ readonly answer: IncomingMessage; readonly heard: () => string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get({ port, path: '/ops/stream' }, resolve).on('error', reject);
  const answer = await promise;
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { answer, heard: () => text };
}

async function close(app: HttpServer): Promise<void> {
  app.server.closeAllConnections();
  await app.close();
}

test('only clients on this machine get the page and its files', async () => {
  const app = await create();
  for (const url of ['/ops', '/ops/page.js', '/ops/uplot.js', '/ops/style.css']) {
    assert.equal((await app.inject(url)).statusCode, 200, url);
    assert.equal(codeOf(await app.inject({ url, remoteAddress: '192.0.2.7' })), 'not_found', url);
  }
  assert.equal(codeOf(await app.inject({ url: '/ops/stream', remoteAddress: '192.0.2.7' })), 'not_found');
  for (const url of ['/ops/index.html', '/ops/view.test.ts', '/ops/../package.json', '/ops/session'])
    assert.equal(codeOf(await app.inject(url)), 'not_found', url);
  await close(app);
});

test('links from other sites reach the page; its data is available only to the page itself', async () => {
  const link = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const frame = { ...link, 'sec-fetch-dest': 'iframe' };
  const script = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
  const app = await create();
  const guarded = await create({ token });
  for (const site of ['cross-site', 'same-site']) {
    const from = (headers: Record<string, string>) => ({ ...headers, 'sec-fetch-site': site });
    assert.match((await app.inject({ url: '/ops', headers: from(link) })).body, /id="headline"/u);
    assert.equal((await guarded.inject({ url: '/ops', headers: from(link) })).statusCode, 401);
    for (const [url, headers] of [
      ['/ops', from(script)],
      ['/ops', from(frame)],
      ['/ops', { ...from(link), host: 'rebound.example' }],
      ['/ops', { ...from(link), 'x-forwarded-for': '192.0.2.7' }],
      ['/ops/stream', from(script)],
      ['/ops/stream', from(link)],
      ['/ops/page.js', from(script)],
    ] as const)
      assert.equal(codeOf(await app.inject({ url, headers })), 'not_found', `${url} ${JSON.stringify(headers)}`);
  }
  await close(app);
  await close(guarded);
});

test('a cached file is not sent again, and a changed one is', async () => {
  const app = await create();
  const { headers } = await app.inject('/ops/page.js');
  const again = await app.inject({ url: '/ops/page.js', headers: { 'if-none-match': String(headers.etag) } });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
  const changed = await app.inject({ url: '/ops/page.js', headers: { 'if-none-match': '"older"' } });
  assert.equal(changed.statusCode, 200);
  await close(app);
});

test('the scripts of the page import only files that are served with them', async () => {
  const app = await create();
  for (const name of ['page.js', 'series.js', 'charts.js', 'format.js', 'uplot.js']) {
    const { body } = await app.inject(`/ops/${name}`);
    for (const [, address = ''] of body.matchAll(/^import [^'"]*['"]([^'"]+)['"]/gmu)) {
      assert.match(address, /^\.\/[a-z]+\.js$/u);
      assert.equal((await app.inject(`/ops/${address.slice(2)}`)).statusCode, 200, address);
    }
  }
  await close(app);
});

const basic = (password: string, user = 'anyone'): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

test('with METRICS_TOKEN, a browser is asked for it, and sends it as a password', async () => {
  const app = await create({ token });
  const asked = await app.inject('/ops');
  assert.equal(codeOf(asked), 'unauthenticated');
  assert.match(String(asked.headers['www-authenticate']), /^Basic realm="[^"]*METRICS_TOKEN[^"]*", charset="UTF-8"$/u);
  assert.equal(asked.headers['set-cookie'], undefined);
  const open = async (authorization: string, headers = {}) =>
    app.inject({ url: '/ops', headers: { authorization, ...headers }, remoteAddress: '192.0.2.9' });
  assert.match((await open(basic(token))).body, /id="headline"/u);
  assert.match((await open(basic(token, ''))).body, /id="headline"/u);
  for (const wrong of [
    basic(`${token}x`),
    basic(''),
    `Basic ${token}`,
    `Digest ${token}`,
    'Basic',
    basic(`x:${token}`),
  ])
    assert.equal(codeOf(await open(wrong)), 'unauthenticated', wrong);
  const fromElsewhere = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' };
  assert.equal(codeOf(await open(basic(token), fromElsewhere)), 'unauthenticated', 'another page must not use it');
  await close(app);
});

test('after ten wrong tokens, all tokens of that address are refused for a minute', async () => {
  const app = await create({ token });
  lines.length = 0;
  told.length = 0;
  const ask = async (password: string, remoteAddress: string) =>
    codeOf(await app.inject({ url: '/ops/page.js', headers: { authorization: basic(password) }, remoteAddress }));
  for (let n = 0; n < 10; n += 1) assert.equal(await ask(`wrong-${n}`, '192.0.2.1'), 'not_found');
  const blocked = await app.inject({
    url: '/ops/page.js',
    headers: { authorization: `Bearer ${token}` },
    remoteAddress: '192.0.2.1',
  });
  assert.equal(codeOf(blocked), 'too_many_attempts');
  assert.equal(blocked.headers['retry-after'], '60');
  const other = { url: '/ops/page.js', headers: { authorization: basic(token) }, remoteAddress: '192.0.2.2' };
  assert.equal((await app.inject(other)).statusCode, 200);
  assert.equal(lines.length, 1, 'a line for all of them');
  assert.match(lines.join(), /"address":"192\.0\.2\.1".*"msg":"a wrong METRICS_TOKEN was sent"/u);
  assert.doesNotMatch(lines.join(), /wrong-\d/u);
  assert.deepEqual(new Set(told), new Set(['192.0.2.1']));
  now += 60_000;
  assert.equal((await app.inject({ ...other, remoteAddress: '192.0.2.1' })).statusCode, 200);
  await close(app);
});

test('after a hundred wrong tokens, only addresses that have sent the right one are admitted', async () => {
  const app = await create({ token });
  const ask = async (password: string, remoteAddress: string) =>
    (await app.inject({ url: '/ops/page.js', headers: { authorization: basic(password) }, remoteAddress })).statusCode;
  assert.equal(await ask(token, '192.0.2.1'), 200);
  for (let n = 0; n < 100; n += 1) assert.equal(await ask('wrong', `198.51.100.${n}`), 404);
  assert.equal(await ask(token, '203.0.113.1'), 429);
  assert.equal(await ask(token, '192.0.2.1'), 200);
  await close(app);
});

/** A sample every 50 ms, with numbered rows. */
function ticking(): { readonly live: AskLive; readonly asked: () => number } {
  let asked = 0;
  let newest = 1;
  return {
    asked: () => asked,
    live: async ({ rows }) => {
      asked += 1;
      if (rows >= newest) await sleep(50);
      if (rows >= newest) newest += 1;
      return liveAt(newest);
    },
  };
}

test('a page gets the history at once, then each sample; a draining server makes it reconnect', async () => {
  let isDraining = false;
  const ended: number[] = [];
  const { live, asked } = ticking();
  const app = await create({
    live,
    isDraining: () => isDraining,
    http: { requestTimeoutMs: 500, observer: observeHttpBy([{ requestEnded: ({ status }) => ended.push(status) }]) },
  });
  const port = await listen(app);
  const first = await openStream(port);
  assert.equal(first.answer.headers['content-type'], 'text/event-stream');
  assert.deepEqual(ended, [200], 'it is neither in flight nor slow');
  await waitFor('samples for longer than other answers may take', () => /^data: .*"rows":20,/mu.test(first.heard()));
  assert.equal([...first.heard().matchAll(/^event: past$/gmu)].length, 1);
  const second = await openStream(port);
  await waitFor('the past', () => /^event: past\ndata: .*"rows":2\d,/mu.test(second.heard()));
  await waitFor('a sample', () => /\n\ndata: /u.test(second.heard()));
  isDraining = true;
  await Promise.all([once(first.answer, 'end'), once(second.answer, 'end')]);
  const before = asked();
  await waitFor('the connections to close', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    app.server.getConnections((_error, count) => resolve(count));
    return (await promise) === 0;
  });
  assert.equal(asked(), before, 'nothing is asked for nobody');
  await close(app);
});

test('a HEAD of the endless stream is answered', async () => {
  const app = await create();
  try {
    const stream = `http://127.0.0.1:${await listen(app)}/ops/stream`;
    const head = await fetch(stream, { method: 'HEAD', signal: AbortSignal.timeout(5_000) });
    assert.equal(head.status, 404);
  } finally {
    await close(app);
  }
});

test('a page stays connected while the supervisor does not answer, and then gets the whole history', async () => {
  let isAway = true;
  const { live } = ticking();
  const app = await create({ live: async (seen) => (isAway ? Promise.reject(new Error('late')) : live(seen)) });
  const page = await openStream(await listen(app));
  await waitFor('the comment', () => page.heard().includes(': the supervisor does not answer'));
  isAway = false;
  await waitFor('the past', () => page.heard().includes('event: past\ndata: {'));
  await close(app);
});
