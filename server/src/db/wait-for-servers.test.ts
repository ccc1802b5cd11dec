import assert from 'node:assert/strict';
import dns from 'node:dns';
import { mock, test } from 'node:test';

import { recordLog } from '../../test/log-lines.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { waitForServers } from './wait-for-servers.ts';

test('a host unknown to DNS is refused after some seconds, with its name', async () => {
  const lookup = mock.method(dns, 'lookup', (host: string, _options: object, done: (error: Error) => void) =>
    done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' })),
  );
  const { log, lines } = recordLog();
  const server = { host: 'db.typo', port: 5432, user: 'u', password: 'p', database: 'd' };
  const waiting = waitForServers(
    { write: server, reads: [server] },
    { connectTimeoutMs: 1_000, signal: AbortSignal.timeout(60_000), random: () => 0, log },
  );
  await assert.rejects(
    waiting,
    (error) => error instanceof OperatorError && /^No such host: .*db\.typo/u.test(error.message),
  );
  assert.ok(lookup.mock.callCount() >= 5);
  assert.ok(lines('waiting for the databases').length <= 3, 'the attempts share lines');
});
