import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkExposure, type Listening } from './exposure.ts';

const metrics = { enabled: true, host: '127.0.0.1', port: undefined, token: undefined };
const here: Listening = { server: { host: '127.0.0.1' }, usersApi: 'open', metrics };
const token = 'a token of the operator';

test('a server on a loopback address is ok', () => {
  for (const port of [undefined, 9_100])
    assert.equal(checkExposure({ ...here, metrics: { ...metrics, host: '::1', port } }).status, 'ok');
});

test('a users API that other machines can use without a session is a warning, also with a token for /metrics', () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.7', 'chat.example.com']) {
    const listening = { server: { host }, metrics: { ...metrics, token } };
    const { status, found } = checkExposure({ ...listening, usersApi: 'open' });
    assert.equal(status, 'warn');
    assert.match(found, new RegExp(`^HOST=${host} and USERS_API=open: every machine`, 'u'));
    const members = checkExposure({ ...listening, usersApi: 'members' });
    assert.deepEqual([members.status, members.found], ['ok', 'only with a session or a token']);
  }
});

test('metrics that other machines can reach are a warning unless they require a token', () => {
  const open = { ...metrics, host: '0.0.0.0', port: 9_100 };
  assert.match(
    checkExposure({ ...here, metrics: open }).found,
    /^METRICS_HOST=0\.0\.0\.0: .*METRICS_TOKEN is not set$/u,
  );
  assert.equal(checkExposure({ ...here, metrics: { ...open, token } }).status, 'ok');
});
