import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { createTestServer, listen } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';

setFlagsFromString('--expose-gc');

for (const keepAliveSeconds of [1, 3_600])
  test(`a silent connection stays open for the ${keepAliveSeconds} s of its option, and the answer announces it`, async (t) => {
    const app = await createTestServer({ keepAliveSeconds });
    app.get('/list', async () => ['a']);
    const socket = connect(await listen(app), '127.0.0.1');
    t.after(async () => {
      socket.destroy();
      await app.close();
    });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.write('GET /list HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    assert.match(text, new RegExp(`^Keep-Alive: timeout=${keepAliveSeconds}\r$`, 'mu'));
    if (keepAliveSeconds === 1) await once(socket, 'end', { signal: AbortSignal.timeout(10_000) });
    else assert.equal(app.server.keepAliveTimeout, 3_600_000);
  });

test('an idle connection does not hold its last response in memory', async (t) => {
  const app = await createTestServer();
  let answer: WeakRef<object> | undefined;
  app.get('/list', async (_request, reply) => {
    answer = new WeakRef(reply.raw);
    return ['a'];
  });
  const socket = connect(await listen(app), '127.0.0.1');
  t.after(async () => {
    socket.destroy();
    await app.close();
  });
  socket.write('GET /list HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  await waitFor('the answer to be forgotten', () => {
    runInNewContext('gc()');
    return answer !== undefined && answer.deref() === undefined;
  });
  assert.equal(socket.destroyed, false);
});
