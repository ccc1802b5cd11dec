import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { LyingServer } from './lying-server.ts';
import { runTool } from './tool.ts';

describe('the command line', { concurrency: 3 }, () => {
  const refusals: Readonly<Record<string, readonly [RegExp, ...string[]]>> = {
    'a server that is not there': [
      /^There is no server at http:\/\/127\.0\.0\.1:9\. .*\n$/u,
      '--base-url',
      'http://127.0.0.1:9',
    ],
    'a server on another machine': [
      /192\.0\.2\.1 is not on this machine.*--allow-remote/u,
      '--base-url',
      'http://192.0.2.1',
    ],
    'a URL with a path': [/must look like/u, '--base-url', 'http://127.0.0.1/api'],
    'an unknown type': [/one of smoke, load, stress/u, '--type', 'strss'],
    'half a user': [/whole number from 1/u, '--users', '0.5'],
    'an assertion that means nothing': [/does not understand "p98<1"/u, '--assert', 'p98<1'],
    'an unknown option': [/unknown option '--user'/u, '--user', '5'],
  };
  for (const [name, [reason, ...args]] of Object.entries(refusals))
    test(`${name}: one message, exit code 2`, async () => {
      const run = await runTool(args);
      assert.match(run.err, reason);
      assert.equal(run.code, 2);
    });

  test('Ctrl-C ends the run, with a report and exit code 130', async () => {
    const asked = Promise.withResolvers<void>();
    const server = new LyingServer((reply) => {
      asked.resolve();
      return reply;
    });
    const baseUrl = await server.listen();
    try {
      const run = await runTool(['--type', 'smoke', '--duration', '50', '--base-url', baseUrl], {
        interrupt: asked.promise,
      });
      assert.equal(run.code, 130, run.err);
      assert.equal(run.report?.run.interrupted, true);
      assert.match(run.out, /> request count/u);
    } finally {
      await server.close();
    }
  });
});
