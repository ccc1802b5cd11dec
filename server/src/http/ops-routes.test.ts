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
import type { HttpOptions, HttpServer } from './server.ts';
import { opsRoutes } from './ops-routes.ts';

const token = 'correct-horse-battery';

interface Options {
  readonly live?: AskLive;
  readonly token?: string;
  readonly isDraining?: () => boolean;
  readonly http?: Partial<HttpOptions>;
}

async function create({ live = noWatch.live, isDraining = () => false, http, ...guard }: Options = {}) {
  const app = await createTestServer(http);
  await opsRoutes(app, { live, isDraining, guard: { token: guard.token, isOpen: false } });
  return app;
}

/** A page that listens, and what it has heard so far. */
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

test('the page and its files are given to programs on this machine, and to nobody else', async () => {
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

test('a link on another site leads to the page; what is in it is asked for by the page itself, and by no other', async () => {
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

test('a file that a browser has is not sent again, and one that has changed is', async () => {
  const app = await create();
  const { headers } = await app.inject('/ops/page.js');
  const again = await app.inject({ url: '/ops/page.js', headers: { 'if-none-match': String(headers.etag) } });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
  const changed = await app.inject({ url: '/ops/page.js', headers: { 'if-none-match': '"older"' } });
  assert.equal(changed.statusCode, 200);
  await close(app);
});

test('the scripts of the page import what is served beside them, and nothing else', async () => {
  const app = await create();
  for (const name of ['page.js', 'series.js', 'charts.js', 'format.js', 'login.js', 'uplot.js']) {
    const { body } = await app.inject(`/ops/${name}`);
    for (const [, address = ''] of body.matchAll(/^import [^'"]*['"]([^'"]+)['"]/gmu)) {
      assert.match(address, /^\.\/[a-z]+\.js$/u);
      assert.equal((await app.inject(`/ops/${address.slice(2)}`)).statusCode, 200, address);
    }
  }
  await close(app);
});

test('where a token is set, a browser shows it once and has a session, which is good for nothing else', async () => {
  const app = await create({ token });
  const form = await app.inject('/ops');
  assert.equal(form.statusCode, 401);
  assert.match(form.body, /METRICS_TOKEN/u);
  assert.equal((await app.inject('/ops/style.css')).statusCode, 200, 'the form needs it');
  assert.equal(codeOf(await app.inject('/ops/stream')), 'not_found');
  const signIn = async (payload: object) => app.inject({ url: '/ops/session', method: 'POST', payload });
  assert.equal(codeOf(await signIn({ token: `${token}x` })), 'not_found');
  for (const garbage of [{}, { token: 1 }, { token: '' }, { token, more: 1 }])
    assert.equal(codeOf(await signIn(garbage)), 'invalid_request');

  const { headers, statusCode } = await signIn({ token });
  assert.equal(statusCode, 204);
  const setCookie = String(headers['set-cookie']);
  assert.match(setCookie, /; Path=\/ops; .*HttpOnly; SameSite=Strict$/u);
  assert.doesNotMatch(setCookie, new RegExp(token, 'u'));
  const cookie = `other=1; ${setCookie.split(';')[0]}`;
  assert.match((await app.inject({ url: '/ops', headers: { cookie } })).body, /id="headline"/u);
  const fromElsewhere = { cookie, 'sec-fetch-site': 'cross-site' };
  assert.equal((await app.inject({ url: '/ops', headers: fromElsewhere })).statusCode, 401);
  const out = await app.inject({ url: '/ops/session', method: 'DELETE', headers: { cookie } });
  assert.match(String(out.headers['set-cookie']), /=; Path=\/ops; Max-Age=0/u);
  await close(app);
});

/** A sample each 50 ms, whose rows are numbered. */
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

test('a page gets the past at once, then each sample, however long it listens; a server that drains sends it elsewhere', async () => {
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

test('a HEAD of the stream is answered, though the stream itself has no end', async () => {
  const app = await create();
  try {
    const stream = `http://127.0.0.1:${await listen(app)}/ops/stream`;
    const head = await fetch(stream, { method: 'HEAD', signal: AbortSignal.timeout(5_000) });
    assert.equal(head.status, 404);
  } finally {
    await close(app);
  }
});

test('a page stays while the supervisor does not answer, and gets the whole past when it does', async () => {
  let isAway = true;
  const { live } = ticking();
  const app = await create({ live: async (seen) => (isAway ? Promise.reject(new Error('late')) : live(seen)) });
  const page = await openStream(await listen(app));
  await waitFor('the comment', () => page.heard().includes(': the supervisor does not answer'));
  isAway = false;
  await waitFor('the past', () => page.heard().includes('event: past\ndata: {'));
  await close(app);
});
