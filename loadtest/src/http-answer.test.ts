import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { AnswerReader, MalformedAnswer } from './http-answer.ts';

const bodies = fc.uint8Array({ maxLength: 300 }).map((bytes): Buffer => Buffer.from(bytes));

function withLength(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}

function inChunks(body: Buffer, size: number): Buffer {
  const parts: Buffer[] = [Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** Feeds the bytes in pieces that end at `cuts`, all of them through the same buffer, as a connection does. */
function read(bytes: Buffer, cuts: readonly number[]): string {
  const reader = new AnswerReader();
  const shared = Buffer.alloc(bytes.length);
  const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])];
  let from = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    shared.fill(0);
    const answer = reader.push(shared.subarray(0, bytes.copy(shared, 0, from, end)));
    from = end;
    if (answer !== undefined) return `${answer.status} ${from} ${answer.body.toString('hex')}`;
  }
  return 'not complete';
}

const cuts = fc.array(fc.nat(600), { maxLength: 40 });

test('the answer is the same for every split of its bytes', () => {
  fc.assert(
    fc.property(bodies, cuts, fc.integer({ min: 1, max: 99 }), (body, pieces, size) => {
      for (const bytes of [withLength(body), inChunks(body, size)])
        assert.equal(read(bytes, pieces), `200 ${bytes.length} ${body.toString('hex')}`);
    }),
  );
});

test('an answer without its last byte is incomplete for every split of its bytes', () => {
  fc.assert(
    fc.property(bodies, cuts, (body, pieces) => {
      assert.equal(read(withLength(Buffer.concat([body, Buffer.from('x')])).subarray(0, -1), pieces), 'not complete');
      assert.equal(read(inChunks(body, 7).subarray(0, -1), pieces), 'not complete');
    }),
  );
});

test('the used headers are read in any case', () => {
  const head = [
    'HTTP/1.1 503 Service Unavailable',
    'RETRY-AFTER: 1',
    'consistency-token: 1/AB',
    'Link: </next>; rel="next"',
    'Connection: Close',
    'x-other: a:b',
    'content-length: 0',
  ];
  const answer = new AnswerReader().push(Buffer.from(`${head.join('\r\n')}\r\n\r\n`));
  assert.ok(answer !== undefined);
  const { body, ...rest } = answer;
  assert.equal(body.length, 0);
  assert.deepEqual(rest, {
    status: 503,
    keepsConnection: false,
    retryAfter: '1',
    consistencyToken: '1/AB',
    link: '</next>; rel="next"',
  });
});

test('a 204 has no body, and the next answer on the connection is parsed', () => {
  const reader = new AnswerReader();
  assert.equal(reader.push(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'))?.status, 204);
  assert.equal(reader.push(withLength(Buffer.from('{}')))?.body.toString(), '{}');
});

for (const [name, bytes] of Object.entries({
  'another protocol': 'SSH-2.0-OpenSSH_9.9\r\n\r\n',
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'an interim answer': 'HTTP/1.1 100 Continue\r\n\r\n',
  'a header without a name': 'HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n',
  'lines that end with LF alone': 'HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n',
  'a body that ends with the connection': 'HTTP/1.1 200 OK\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  'another encoding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  'a 204 with a body': 'HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx',
  'a wrong size of a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'a chunk longer than it says': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
  trailers: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n',
  'more bytes than the answer': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc',
  'a head without end': `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}`,
}))
  test(`malformed: ${name}`, () => {
    assert.throws(() => new AnswerReader().push(Buffer.from(bytes)), MalformedAnswer);
  });
