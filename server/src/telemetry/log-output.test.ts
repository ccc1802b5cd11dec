import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';

import { drained, LogOutput } from './log-output.ts';

/** A reader that takes one chunk at a time, when it is told to. */
function slowReader(): { readonly stream: Writable; readonly taken: string[]; readonly takeAll: () => void } {
  const taken: string[] = [];
  let release: (() => void) | undefined;
  let isOpen = false;
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: 1,
    write: (chunk, _encoding, done) => {
      taken.push(String(chunk));
      if (isOpen) done();
      else release = done;
    },
  });
  const takeAll = (): void => {
    isOpen = true;
    release?.();
  };
  return { stream, taken, takeAll };
}

describe('a reader of the log that stands still', () => {
  test('takes only so much memory, and is told how many lines it has missed when it reads on', async () => {
    const { stream, taken, takeAll } = slowReader();
    const output = new LogOutput(stream, 1_000);
    for (let n = 0; n < 1_000; n += 1) output.write(`{"n":${n}}\n`);
    assert.ok(stream.writableLength <= 1_000);
    takeAll();
    await drained(stream, 10_000);
    const missed: unknown = JSON.parse(taken.at(-1) ?? '');
    assert.partialDeepStrictEqual(missed, { level: 40, lost: 1_000 - (taken.length - 1) });
    output.write('{"n":"next"}\n');
    assert.equal(taken.at(-1), '{"n":"next"}\n');
  });

  test('does not keep a process alive that wants to end', async () => {
    const { stream } = slowReader();
    new LogOutput(stream).write('{}\n');
    await drained(stream, 20);
    assert.equal(stream.writableLength, 3);
  });
});

test('a reader that has gone stops nobody; any other failure is not hidden', () => {
  const { stream } = slowReader();
  const output = new LogOutput(stream);
  stream.emit('error', Object.assign(new Error('write'), { code: 'EPIPE' }));
  output.write('{}\n');
  assert.throws(() => stream.emit('error', Object.assign(new Error('write'), { code: 'EIO' })), { code: 'EIO' });
});
