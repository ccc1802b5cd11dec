import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';

import type { Endpoint } from './endpoint.ts';
import { sessionSettings } from './session.ts';
import { findServerProblems, inspectServers, type ServerFacts } from './server-facts.ts';

function at(host: string): Endpoint {
  return { host, port: 5432, user: 'root', database: 'messenger' };
}
const endpoints = { write: at('primary'), read: at('replica') };
const primary: ServerFacts = {
  version: 180_004,
  database: 'messenger',
  maxConnections: 500,
  reservedConnections: 3,
  inRecovery: false,
  readOnly: false,
  settings: sessionSettings({}),
  systemIdentifier: '7',
  startedAt: '2026-01-28 12:00:00+00',
};
const standby: ServerFacts = { ...primary, inRecovery: true, readOnly: true, startedAt: '2026-01-28 12:00:01+00' };

test('a primary with its standby is accepted, and so is a primary alone', () => {
  assert.deepEqual(findServerProblems(endpoints, primary, standby), []);
  assert.deepEqual(findServerProblems(endpoints, primary, primary), []);
});

const unfit: readonly (readonly [name: string, write: ServerFacts, read: ServerFacts, told: RegExp])[] = [
  ['a standby to write to', standby, standby, /primary:5432 is a standby, which takes no writes; DB_WRITE_HOST/u],
  ['a read-only server to write to', { ...primary, readOnly: true }, standby, /primary:5432 is read-only/u],
  ['a standby of another cluster', primary, { ...standby, systemIdentifier: '8' }, /replica:5432 is not a standby of/u],
  ['a copy that was promoted', primary, { ...standby, inRecovery: false, readOnly: false }, /replica:5432 .*promoted/u],
  [
    'a pooler that drops a setting of the sessions to the primary',
    { ...primary, settings: { ...primary.settings, lock_timeout: '10ms' } },
    standby,
    /primary:5432 gives its sessions lock_timeout = '10ms' instead of '0': .* connect_query: set lock_timeout = "0" /u,
  ],
  [
    'a pooler that drops a setting of the sessions to the standby',
    primary,
    { ...standby, settings: { ...standby.settings, search_path: 'other' } },
    /replica:5432 gives its sessions search_path = 'other' instead of 'public'/u,
  ],
  [
    'another database on the standby',
    primary,
    { ...standby, database: 'other' },
    /"other", the write server with "messenger"/u,
  ],
];
for (const [name, write, read, told] of unfit) {
  test(`${name} is refused, by name`, () => {
    const problems = findServerProblems(endpoints, write, read);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', told);
  });
}

/** Imitates PostgreSQL 17, for which there is no package. */
async function startPostgres17(): Promise<Server> {
  const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
  };
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  const int32 = (value: number): Buffer => Buffer.concat([int16(value >>> 16), int16(value & 0xffff)]);
  const ready = message('Z', Buffer.from('I'));
  const int4 = [int32(0), int16(0), int32(23), int16(4), int32(-1), int16(0)];
  const row = message('T', int16(1), Buffer.from('version\0'), ...int4);
  const data = message('D', int16(1), int32(6), Buffer.from('170005'));
  const answer = Buffer.concat([row, data, message('C', Buffer.from('SELECT 1\0')), ready]);
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int32(0)), ready]));
      socket.on('data', (bytes) => {
        if (bytes[0] === 'Q'.charCodeAt(0)) socket.write(answer);
        else socket.end();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a server before PostgreSQL 18 is refused with the reason', async () => {
  const server = await startPostgres17();
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const old = { ...at('127.0.0.1'), port: address.port };
  const session = { applicationName: 'test', connectTimeoutMs: 2_000, statementTimeoutMs: 2_000 };
  const told = /The write server 127\.0\.0\.1:\d+ is PostgreSQL 17; Messenger needs 18 or newer/u;
  await assert.rejects(inspectServers({ write: old, reads: [old] }, session), told);
  server.close();
});
