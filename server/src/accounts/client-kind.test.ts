import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeClient } from './client-kind.ts';

test('the kind of a client is readable', () => {
  const kinds = {
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0': 'Firefox on Linux',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0':
      'Edge on Windows',
    'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36':
      'Chrome on Android',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1':
      'Safari on iOS',
    'curl/8.14.1': 'curl',
    node: 'node',
    '': 'unknown',
    '<b>': 'unknown',
  };
  for (const [userAgent, kind] of Object.entries(kinds)) assert.equal(describeClient(userAgent), kind, userAgent);
});
