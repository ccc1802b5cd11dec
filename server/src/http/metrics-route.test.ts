import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestServer, codeOf } from '../../test/http-server.ts';
import { noCollection } from '../../test/collections.ts';
import { parseExposition } from '../../test/exposition.ts';
import { monotonicClock } from '../lib/clock.ts';
import { createLog } from '../telemetry/log.ts';
import { WrongTokens } from './wrong-tokens.ts';
import { metricsRoute } from './metrics-route.ts';
import type { OperatorGuardOptions } from './operator-guard.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });

interface Caller {
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const restarts = { messenger_worker_restarts_total: [{ labels: [], values: [3] }] };

/** Requests /metrics. */
async function ask(guard: Partial<OperatorGuardOptions>, { from = '127.0.0.1', headers = {} }: Caller = {}) {
  const app = await createTestServer({ corsOrigins: ['*'] });
  metricsRoute(app, {
    collect: async () => ({ ...noCollection, metrics: restarts }),
    guard: {
      token: undefined,
      isOpen: false,
      wrongTokens: new WrongTokens({ clock: monotonicClock, log, tell: () => undefined }),
      ...guard,
    },
  });
  const answer = await app.inject({ url: '/metrics', remoteAddress: from, headers });
  await app.close();
  return answer;
}

async function assertRefused(guard: Partial<OperatorGuardOptions>, caller: Caller): Promise<void> {
  const answer = await ask(guard, caller);
  assert.equal(codeOf(answer), 'not_found', JSON.stringify(caller));
  assert.doesNotMatch(answer.body, /messenger_/u);
}

async function assertServed(guard: Partial<OperatorGuardOptions>, caller: Caller): Promise<void> {
  const answer = await ask(guard, caller);
  assert.equal(answer.statusCode, 200, JSON.stringify(caller));
  assert.equal(parseExposition(answer.body).samples[0]?.value, 3);
}

test('programs on this machine can read the metrics', async () => {
  for (const from of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) await assertServed({}, { from });
  for (const host of ['localhost:8080', '127.0.0.1', '[::1]:8080', 'LOCALHOST'])
    await assertServed({}, { headers: { host } });
});

test('other clients get 404, whatever headers they send', async () => {
  for (const from of ['192.0.2.7', '10.0.0.1', '::ffff:192.0.2.7', '2001:db8::1', '1127.0.0.1'])
    await assertRefused({}, { from, headers: { 'x-forwarded-for': '127.0.0.1', host: 'localhost' } });
});

test('a request through a proxy on this machine is not local', async () => {
  for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'])
    await assertRefused({}, { headers: { [name]: '127.0.0.1' } });
  await assertRefused({}, { headers: { host: 'messenger.example' } });
});

test('a page of another site in a local browser cannot read them', async () => {
  for (const site of ['cross-site', 'same-site']) {
    await assertRefused({}, { headers: { 'sec-fetch-site': site } });
    await assertRefused({ isOpen: true }, { headers: { 'sec-fetch-site': site } });
  }
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  await assertRefused({}, { headers: link });
  for (const site of ['same-origin', 'none']) await assertServed({}, { headers: { 'sec-fetch-site': site } });
});

test('with METRICS_TOKEN, only clients that send it can read them, from anywhere', async () => {
  const token = 'correct horse'.replace(' ', '-');
  for (const isOpen of [true, false]) {
    const from = '192.0.2.7';
    for (const authorization of [`Bearer ${token}`, `bearer  ${token}`])
      await assertServed({ token, isOpen }, { from, headers: { authorization, host: 'x.example' } });
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      `Bearer ${token}x`,
      `Basic ${token}`,
      token,
      `Bearer ${token.slice(1)}`,
    ])
      await assertRefused({ token, isOpen }, { headers: { authorization } });
    await assertRefused({ token, isOpen }, {});
  }
});

test('on a METRICS_HOST that others reach, all clients can read them', async () => {
  await assertServed({ isOpen: true }, { from: '192.0.2.7', headers: { host: 'metrics.example' } });
});

test('clients that accept OpenMetrics get it', async () => {
  const accept = 'application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5';
  const { body, headers } = await ask({}, { headers: { accept } });
  assert.equal(headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  assert.equal(headers.vary, 'accept');
  assert.equal(parseExposition(body, true).types.get('messenger_worker_restarts'), 'counter');
});

test('a supervisor that does not answer causes a 503 in time', async () => {
  const app = await createTestServer();
  metricsRoute(app, {
    collect: async () => {
      throw new Error('not complete within 4000 ms');
    },
    guard: {
      token: undefined,
      isOpen: false,
      wrongTokens: new WrongTokens({ clock: monotonicClock, log, tell: () => undefined }),
    },
  });
  assert.equal(codeOf(await app.inject('/metrics')), 'not_ready');
  await app.close();
});
