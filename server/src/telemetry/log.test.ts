import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

import { createLog, isPretty } from './log.ts';

function linesOf(pretty: boolean): readonly string[] {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(stripVTControlCharacters(line)) };
  const log = createLog({ level: 'info', name: 'worker 1', pretty }, sink);
  log.debug('left out');
  log.warn({ route: '/api/v1/users', status: 503 }, 'a request failed');
  const err = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (name)=(hunter2) exists.' });
  log.error({ err }, 'a defect');
  return lines;
}

test('a line on a terminal has the time, the level, the process and the message', () => {
  const [request = '', defect = '', ...others] = linesOf(true);
  assert.match(
    request,
    /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN \(worker 1\): a request failed \{"route":"\/api\/v1\/users","status":503\}\n$/u,
  );
  assert.match(defect, /ERROR \(worker 1\): a defect[\s\S]*duplicate key[\s\S]*23505/u);
  assert.deepEqual(others, []);
});

test('other outputs get one JSON object per line', () => {
  const [request = ''] = linesOf(false);
  const line: unknown = JSON.parse(request);
  assert.partialDeepStrictEqual(line, { level: 40, name: 'worker 1', status: 503, msg: 'a request failed' });
});

test("neither contains user input from PostgreSQL's error detail", () => {
  for (const pretty of [true, false]) assert.doesNotMatch(linesOf(pretty).join(''), /hunter2/u);
});

test('the format depends on the terminal unless it is configured', () => {
  assert.deepEqual(
    [isPretty('auto', true), isPretty('auto', false), isPretty('pretty', false), isPretty('json', true)],
    [true, false, true, false],
  );
});
