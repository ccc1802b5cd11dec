import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';

import { servedUrls } from './served-urls.ts';

function one(address: string, internal: boolean): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal, cidr: null };
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
}

const interfaces = {
  eth0: [one('192.0.2.7', false), one('2001:db8::7', false), one('fe80::1', false)],
  lo: [one('127.0.0.1', true), one('::1', true)],
};

test('one address is one URL', () => {
  assert.deepEqual(servedUrls('127.0.0.1', 8080, interfaces), ['http://127.0.0.1:8080']);
  assert.deepEqual(servedUrls('::1', 8080, interfaces), ['http://[::1]:8080']);
  assert.deepEqual(servedUrls('chat.example.com', 80, interfaces), ['http://chat.example.com:80']);
});

test('every interface has a URL, the loopback first', () => {
  assert.deepEqual(servedUrls('0.0.0.0', 8080, interfaces), ['http://127.0.0.1:8080', 'http://192.0.2.7:8080']);
  assert.deepEqual(servedUrls('::', 8080, interfaces), [
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'http://192.0.2.7:8080',
    'http://[2001:db8::7]:8080',
  ]);
});
