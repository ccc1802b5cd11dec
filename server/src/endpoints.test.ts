import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from './load-config.ts';
import type { Endpoints } from './db/endpoint.ts';
import { connectionUrl, externalEndpoints } from './endpoints.ts';

function endpoints(env: Readonly<Record<string, string>>): Endpoints | undefined {
  return externalEndpoints(loadConfig({ flags: {}, env, file: undefined }).config);
}

function writeUrl(env: Readonly<Record<string, string>>): string {
  const found = endpoints({ DB_WRITE_HOST: 'primary', ...env });
  assert(found);
  return connectionUrl(found.write);
}

test('without a write server the databases are embedded', () => {
  assert.equal(endpoints({}), undefined);
});

test('without a read server, reads go to the write server', () => {
  const found = endpoints({ DB_WRITE_HOST: 'primary' });
  assert.deepEqual(found?.reads, [found?.write]);
  assert.equal(endpoints({ DB_WRITE_HOST: 'primary', DB_READ_HOST: 'replica' })?.reads[0]?.port, 5433);
});

test('every configured server may be the primary; a read server then has the write user', () => {
  const found = endpoints({
    DB_WRITE_HOST: 'a,b',
    DB_WRITE_PORT: '5432',
    DB_WRITE_USER: 'writer',
    DB_READ_HOST: 'b,c',
    DB_READ_PORT: '5432',
    DB_READ_USER: 'reader',
  });
  const namesOf = (all: readonly { host: string; user: string }[] = []): string =>
    all.map(({ host, user }) => `${user}@${host}`).join(' ');
  assert.equal(namesOf(found && [found.write]), 'writer@a');
  assert.equal(namesOf(found?.otherWrites), 'writer@b writer@c');
  assert.equal(namesOf(found?.reads), 'reader@b reader@c');
});

test('without read servers, reads go to all write servers', () => {
  assert.deepEqual(
    endpoints({ DB_WRITE_HOST: 'a,b' })?.reads.map(({ host }) => host),
    ['a', 'b'],
  );
});

test('each read server has its own host, port and certificate name', () => {
  const env = { DB_WRITE_HOST: 'primary', DB_READ_HOST: 'a,b', DB_READ_TLS: 'verify-full' };
  const inBoth = { user: 'root', password: 'password', database: 'postgres', synchronousCommit: 'on' };
  assert.deepEqual(endpoints({ ...env, DB_READ_PORT: '1,2' })?.reads, [
    { ...inBoth, host: 'a', port: 1, tls: { rejectUnauthorized: true, servername: 'a' } },
    { ...inBoth, host: 'b', port: 2, tls: { rejectUnauthorized: true, servername: 'b' } },
  ]);
  assert.deepEqual(
    endpoints(env)?.reads.map(({ port }) => port),
    [5433, 5433],
  );
});

test('the connection string of several servers selects the first one that answers', () => {
  const [first, ...others] = endpoints({ DB_WRITE_HOST: 'primary', DB_READ_HOST: 'a,::1' })?.reads ?? [];
  assert(first);
  assert.equal(
    connectionUrl(first, ...others),
    'postgresql://root:password@/postgres?host=a%2C%3A%3A1&port=5433%2C5433',
  );
});

test('psql accepts the connection string, whatever the password contains', () => {
  assert.equal(writeUrl({}), 'postgresql://root:password@primary:5432/postgres');
  assert.equal(
    writeUrl({ DB_WRITE_PASSWORD: 'p@ss/w:rd?' }),
    'postgresql://root:p%40ss%2Fw%3Ard%3F@primary:5432/postgres',
  );
  assert.equal(writeUrl({ DB_WRITE_HOST: '::1' }), 'postgresql://root:password@[::1]:5432/postgres');
  assert.equal(
    writeUrl({ DB_WRITE_HOST: '/run/pg' }),
    'postgresql://root:password@/postgres?host=%2Frun%2Fpg&port=5432',
  );
  assert.match(writeUrl({ DB_WRITE_TLS: 'require' }), /\?sslmode=require$/u);
  assert.match(writeUrl({ DB_WRITE_TLS: 'verify-full' }), /\?sslmode=verify-full$/u);
});

test('TLS checks the certificate and the name only with verify-full', () => {
  const external = { DB_WRITE_HOST: 'primary' };
  assert.equal(endpoints(external)?.write.tls, undefined);
  assert.deepEqual(endpoints({ ...external, DB_WRITE_TLS: 'require' })?.write.tls, { rejectUnauthorized: false });
  const verified = endpoints({ ...external, DB_WRITE_TLS: 'verify-full' })?.write.tls;
  assert.deepEqual(verified, { rejectUnauthorized: true, servername: 'primary' });
  const address = { DB_WRITE_HOST: '10.0.0.1', DB_WRITE_TLS: 'verify-full' };
  assert.deepEqual(endpoints(address)?.write.tls, { rejectUnauthorized: true, host: '10.0.0.1' });
});

test('unreadable certificates are reported by file name', () => {
  const env = { DB_WRITE_HOST: 'primary', DB_WRITE_TLS: 'verify-full', DB_WRITE_TLS_CA: '/nonexistent/ca.pem' };
  assert.throws(() => endpoints(env), /cannot be read: .*\/nonexistent\/ca\.pem/u);
});
