import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';

import { drained, LogOutput } from './log-output.ts';

/** A reader that takes one chunk at a time, on demand. */
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

describe('a blocked log reader', () => {
  test('costs bounded memory, and gets the number of lost lines when it continues', async () => {
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

  test('does not keep an ending process alive', async () => {
    const { stream } = slowReader();
    new LogOutput(stream).write('{}\n');
    await drained(stream, 20);
    assert.equal(stream.writableLength, 3);
  });
});

/** Like the process's streams: it continues after an error. */
class Disk extends Writable {
  isFull = true;
  readonly taken: string[] = [];

  override write(line: unknown, ...[done]: readonly unknown[]): boolean {
    if (!this.isFull) this.taken.push(String(line));
    const error = this.isFull ? new Error('no space left on the device') : undefined;
    if (typeof done === 'function') Reflect.apply(done, undefined, [error]);
    return true;
  }
}

test('lost lines are counted, and the count is logged when writes succeed again', () => {
  const disk = new Disk();
  const output = new LogOutput(disk);
  disk.emit('error', Object.assign(new Error('write'), { code: 'EIO' }));
  output.write('{"n":1}\n');
  output.write('{"n":2}\n');
  disk.isFull = false;
  output.write('{"n":3}\n');
  output.write('{"n":4}\n');
  const [third, missed = '', ...rest] = disk.taken;
  assert.equal(third, '{"n":3}\n');
  assert.partialDeepStrictEqual(JSON.parse(missed), { level: 40, lost: 2 });
  assert.deepEqual(rest, ['{"n":4}\n']);
});

const onlyLinux = process.platform === 'linux' ? false : 'there is no full device';

test('a process with its log on a full disk continues', { skip: onlyLinux }, () => {
  const program = `
    import { createLog } from '${import.meta.resolve('./log.ts')}';
    const log = createLog({ level: 'info', name: 'test', pretty: false });
    for (let n = 0; n < 3; n += 1) { log.info('line'); await new Promise(setImmediate); }
    process.stdout.write('went on');
  `;
  const full = openSync('/dev/full', 'w');
  try {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', full],
    });
    assert.equal(stdout, 'went on');
  } finally {
    closeSync(full);
  }
});
