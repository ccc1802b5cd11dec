import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { test } from 'node:test';

import fc from 'fast-check';

import { encodeFrame, readFrames } from './frames.ts';

test('frames arrive whole and in order, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (contents, sizes) => {
        const socket = new Socket();
        const read: unknown[] = [];
        readFrames(socket, (content) => void read.push(content));
        let bytes = Buffer.concat(contents.map(encodeFrame));
        for (const size of sizes) {
          if (bytes.length === 0) break;
          socket.emit('data', bytes.subarray(0, size));
          bytes = bytes.subarray(size);
        }
        assert.equal(JSON.stringify(read), JSON.stringify(contents));
      },
    ),
  );
});

test('a damaged frame ends the connection', async () => {
  for (const bytes of [Buffer.from([255, 255, 255, 255]), Buffer.from([0, 0, 0, 1, 0x7b])]) {
    const socket = new Socket();
    readFrames(socket, () => assert.fail('it has no content'));
    const failed = once(socket, 'error');
    socket.emit('data', bytes);
    await failed;
    assert.ok(socket.destroyed);
  }
});
