import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkExposure, type Listening } from './exposure.ts';

const here: Listening = { host: '127.0.0.1', metricsHost: undefined, hasToken: false };

test('a server that only its own machine reaches is well', () => {
  for (const metricsHost of [undefined, '::1']) assert.equal(checkExposure({ ...here, metricsHost }).status, 'ok');
});

test('an API that other machines reach is a warning, with a token for /metrics, too', () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.7', 'chat.example.com']) {
    const { status, found } = checkExposure({ ...here, host, hasToken: true });
    assert.equal(status, 'warn');
    assert.match(found, new RegExp(`^HOST=${host}: .*because there are no accounts$`, 'u'));
  }
});

test('metrics that other machines reach are a warning unless they ask for a token', () => {
  const open = { ...here, metricsHost: '0.0.0.0' };
  assert.match(checkExposure(open).found, /^METRICS_HOST=0\.0\.0\.0: .*METRICS_TOKEN is not set$/u);
  assert.equal(checkExposure({ ...open, hasToken: true }).status, 'ok');
});
