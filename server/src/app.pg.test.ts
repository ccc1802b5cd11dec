import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestApp } from '../test/app.ts';
import { useDatabase } from '../test/database.ts';

const database = useDatabase();

test('every link of the home page works, and leads to the live page if this port has it', async () => {
  for (const [env, hasOps] of [
    [{}, true],
    [{ METRICS_ENABLED: 'false' }, false],
    [{ METRICS_PORT: '9464' }, false],
  ] as const) {
    const app = await createTestApp(database().endpoints, { env });
    try {
      const { body } = await app.http.inject('/');
      const links = [...body.matchAll(/href="(\/[^"]*)"/gu)].map(([, link = '']) => link);
      assert.ok(links.length > 3);
      for (const link of links) assert.ok((await app.http.inject(link)).statusCode < 400, link);
      assert.equal(links.includes('/ops'), hasOps);
    } finally {
      await app.http.close();
      await app.close();
    }
  }
});
