import assert from 'node:assert/strict';
import { lookup as resolve } from 'node:dns/promises';
import { test } from 'node:test';

import { checkAddresses, type Lookup } from './addresses.ts';

const at = (host: string): { host: string; port: number; user: string; database: string } => ({
  host,
  port: 5432,
  user: 'u',
  database: 'd',
});

const known: Readonly<Record<string, readonly string[]>> = {
  one: ['10.0.0.1', '2001:db8::1'],
  'both.internal': ['10.0.0.1', '10.0.0.2'],
};

const lookup: Lookup = async (host) => {
  const addresses = known[host];
  if (addresses === undefined) throw new Error('no such name');
  return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

test('a name with several addresses is reported with them, and one address per family counts as one machine', async () => {
  const { status, found } = await checkAddresses([at('one'), at('both.internal'), at('unknown'), at('/run')], lookup);
  assert.deepEqual([status, found], ['warn', 'both.internal leads to 10.0.0.1, 10.0.0.2']);
  assert.equal((await checkAddresses([at('one'), at('unknown')], lookup)).status, 'ok');
});

test('addresses and sockets are not resolved, and this machine is one', async () => {
  const never: Lookup = async () => {
    throw new Error('nothing is to be looked up');
  };
  assert.equal((await checkAddresses([at('/run'), at('127.0.0.1'), at('::1')], never)).found, 'no names');
  const real: Lookup = async (host) => resolve(host, { all: true });
  assert.equal((await checkAddresses([at('localhost')], real)).status, 'ok');
});
