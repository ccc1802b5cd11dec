import assert from 'node:assert/strict';
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { test, type TestContext } from 'node:test';

import { noWatch } from '../test/collections.ts';

import { loadConfig } from './load-config.ts';
import { monotonicClock } from './lib/clock.ts';
import { listenForMetrics } from './metrics-listener.ts';
import { findPort } from './process/port.ts';
import { createLog } from './telemetry/log.ts';

/** Resolves with the status of an answer on the operator's port. */
type Ask = (path: string, headers?: OutgoingHttpHeaders) => Promise<number | undefined>;

async function listenOn(context: TestContext, host: string): Promise<Ask> {
  const port = await findPort(host, 0);
  const env = { METRICS_PORT: String(port), METRICS_HOST: host };
  const listener = await listenForMetrics({
    config: loadConfig({ flags: {}, env, file: undefined }).config,
    watch: noWatch,
    clock: monotonicClock,
    random: Math.random,
    log: createLog({ level: 'silent', name: 'test', pretty: false }),
  });
  context.after(async () => listener?.close());
  return async (path, headers = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    get({ host: '127.0.0.1', port, path, headers }, resolve).on('error', reject);
    const answer = await promise;
    answer.resume();
    return answer.statusCode;
  };
}

const rebound = { host: 'rebound.example' };
const forwarded = { 'x-forwarded-for': '192.0.2.7' };

test('a separate local port serves only local programs, not web pages with a name that resolves to it', async (context) => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const ask = await listenOn(context, host);
    for (const path of ['/metrics', '/ops', '/ops/page.js']) {
      assert.equal(await ask(path), 200, path);
      assert.equal(await ask(path, rebound), 404, path);
      assert.equal(await ask(path, forwarded), 404, path);
    }
  }
});

test('a separate port on a chosen address serves all clients, by any name', async (context) => {
  const ask = await listenOn(context, '0.0.0.0');
  for (const path of ['/metrics', '/ops']) assert.equal(await ask(path, { ...rebound, ...forwarded }), 200);
});
