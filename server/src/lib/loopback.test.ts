import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isLoopback } from './loopback.ts';

test('loopback addresses are recognised in every notation', () => {
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', 'localhost'])
    assert.equal(isLoopback(address), true, address);
  for (const address of [undefined, '', '0.0.0.0', '::', '10.0.0.1', '127.example.com', '::ffff:10.0.0.1'])
    assert.equal(isLoopback(address), false, String(address));
});
