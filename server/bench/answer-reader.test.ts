import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AnswerReader } from './answer-reader.ts';

const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');

test('an answer ends at its last byte, however the network splits it', () => {
  for (let cut = 1; cut < answer.length; cut += 1) {
    const reader = new AnswerReader();
    assert.equal(reader.push(answer.subarray(0, cut)), undefined);
    assert.equal(reader.push(answer.subarray(cut)), 200);
    assert.equal(reader.push(answer), 200, 'nothing is left over for the next');
  }
});

test('an answer without a body ends after its head', () => {
  assert.equal(new AnswerReader().push(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')), 204);
});

test('an answer without a known end is an error', () => {
  assert.throws(() => new AnswerReader().push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), /without a length/u);
});

test('bytes after an answer are an error', () => {
  assert.throws(() => new AnswerReader().push(Buffer.concat([answer, answer])), /after the end/u);
});

test('tells whether the server closes the connection', () => {
  const reader = new AnswerReader();
  const answerWith = (...headers: readonly string[]): Buffer =>
    Buffer.from(['HTTP/1.1 200 OK', ...headers, 'Content-Length: 2', '', 'ok'].join('\r\n'));
  assert.equal(reader.push(answerWith('connection: close')), 200);
  assert.equal(reader.closes, true);
  assert.equal(reader.push(answerWith('Connection: keep-alive')), 200);
  assert.equal(reader.closes, false);
});
