import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clientNetwork } from './client-address.ts';

test('an IPv4 address counts separately, also when mapped to IPv6', () => {
  assert.equal(clientNetwork('192.0.2.7'), '192.0.2.7');
  assert.equal(clientNetwork('::ffff:192.0.2.7'), '192.0.2.7');
});

test('IPv6 addresses of one /64 count together', () => {
  assert.equal(clientNetwork('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(clientNetwork('2001:db8:1:2::6'), '2001:db8:1:2::/64');
  assert.equal(clientNetwork('2001:db8::6'), '2001:db8:0:0::/64');
  assert.notEqual(clientNetwork('2001:db8:1:3::6'), clientNetwork('2001:db8:1:2::6'));
});
