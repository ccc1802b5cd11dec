import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestServer, listen, sendRaw } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { observeHttpBy } from '../http/observer.ts';
import type { HttpOptions, HttpServer } from '../http/server.ts';
import { AppError } from '../lib/app-error.ts';
import { Metrics, type Series } from './metrics.ts';
import { countRequests } from './request-metrics.ts';

const metrics = { now: new Metrics() };

async function counting(options: Partial<HttpOptions> = {}): Promise<{ app: HttpServer; port: number }> {
  metrics.now = new Metrics();
  const app = await createTestServer({ observer: observeHttpBy([countRequests(metrics.now)]), ...options });
  app.get('/users/:id', async () => ({}));
  app.post('/refuses', async () => {
    throw new AppError('pool_exhausted');
  });
  app.get('/fails', async () => {
    throw new Error('a defect');
  });
  app.get('/never', async () => Promise.withResolvers<never>().promise);
  return { app, port: await listen(app) };
}

function series(name: 'messenger_http_requests_total' | 'messenger_http_requests_refused_total'): readonly Series[] {
  return metrics.now.snapshot()[name] ?? [];
}

function counts(name: Parameters<typeof series>[0]): Record<string, number | undefined> {
  return Object.fromEntries(series(name).map(({ labels, values }) => [labels.join(' '), values[0]]));
}

function inFlight(): number | undefined {
  return metrics.now.series('messenger_http_requests_in_flight').values[0];
}

function head(line: string): string {
  return `${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`;
}

test('every request counts once, by route pattern and status class', async (t) => {
  const { app, port } = await counting();
  t.after(async () => app.close());
  for (const line of ['GET /users/7', 'GET /users/8?a=b', 'GET /fails', 'GET /nowhere', 'GET /%zz', 'HEAD /users/7'])
    await sendRaw(port, `${head(line)}\r\n`);
  await sendRaw(port, `${head('POST /refuses')}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`);
  assert.deepEqual(counts('messenger_http_requests_total'), {
    'GET /users/:id 2xx': 2,
    'GET /fails 5xx': 1,
    'GET none 4xx': 2,
    'HEAD /users/:id 2xx': 1,
    'POST /refuses 5xx': 1,
  });
  assert.deepEqual(counts('messenger_http_requests_refused_total'), {
    internal_error: 1,
    not_found: 1,
    malformed_request: 1,
    pool_exhausted: 1,
  });
  assert.equal(inFlight(), 0);
});

test('ids, unknown paths and unknown methods create no new series', async (t) => {
  const { app, port } = await counting();
  t.after(async () => app.close());
  for (let n = 0; n < 200; n += 1) {
    await sendRaw(port, `${head(`GET /users/${n}`)}\r\n`);
    await sendRaw(port, `${head(`GET /junk-${n}/${'x'.repeat(n)}`)}\r\n`);
  }
  for (const method of ['PROPFIND', 'LOCK', 'MKCOL', 'SEARCH'])
    await sendRaw(port, `${head(`${method} /users/1`)}\r\n`);
  assert.deepEqual(counts('messenger_http_requests_total'), {
    'GET /users/:id 2xx': 200,
    'GET none 4xx': 200,
    'other none 5xx': 4,
  });
});

test('a request whose client disconnects has ended, and is not a success', async (t) => {
  const { app, port } = await counting();
  t.after(async () => app.close());
  const leaving = new AbortController();
  const request = fetch(`http://127.0.0.1:${port}/never`, { signal: leaving.signal });
  await waitFor('it to begin', () => inFlight() === 1);
  leaving.abort();
  await assert.rejects(request);
  await waitFor('it to end', () => inFlight() === 0);
  assert.deepEqual(counts('messenger_http_requests_total'), { 'GET /never 4xx': 1 });
});

test('bytes that are not a valid request count as refused', async (t) => {
  const { app, port } = await counting();
  t.after(async () => app.close());
  await sendRaw(port, 'what is this\r\n\r\n');
  await sendRaw(port, `${head('GET /users/1')}x: ${'y'.repeat(4_096)}\r\n\r\n`);
  assert.deepEqual(counts('messenger_http_requests_refused_total'), { malformed_request: 1, headers_too_large: 1 });
  assert.deepEqual(counts('messenger_http_requests_total'), {});
});

test('a request refused before routing is counted', async (t) => {
  let now = 0;
  const { app, port } = await counting({ clock: { now: () => now }, maxQueueMs: 50 });
  t.after(async () => {
    app.server.closeAllConnections();
    await app.close();
  });
  const leaving = new AbortController();
  const stuck = Array.from({ length: 64 }, async () =>
    fetch(`http://127.0.0.1:${port}/never`, { signal: leaving.signal }).catch(() => undefined),
  );
  await waitFor('all to be at work', () => inFlight() === 64);
  let status = 0;
  while (status !== 503) {
    now += 100;
    const late = fetch(`http://127.0.0.1:${port}/never`, {
      signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(200)]),
    });
    status = (await late.catch(() => undefined))?.status ?? 0;
  }
  leaving.abort();
  await Promise.all(stuck);
  assert.equal(counts('messenger_http_requests_total')['GET none 5xx'], 1);
  assert.equal(counts('messenger_http_requests_refused_total')['overloaded'], 1);
});
