import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

import { createLog } from './log.ts';
import { RequestLog } from './request-log.ts';

const request = {
  method: 'GET',
  route: '/things/:id',
  requestId: 'a-1',
  traceId: undefined,
  client: '192.0.2.7',
  status: 200,
  beganMs: 0,
  durationMs: 0.94,
};

function openTerminal(): { readonly requests: RequestLog; readonly text: () => string } {
  const written: string[] = [];
  const sink = { write: (line: string) => void written.push(stripVTControlCharacters(line)) };
  const log = createLog({ level: 'info', name: 'worker 1', pretty: true }, sink);
  return {
    requests: new RequestLog(log, { mostPerSecond: 100, slowMs: 1_000 }),
    text: () => written.join('').replaceAll(/^\[.*?\] /gmu, ''),
  };
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] }));
afterEach(() => mock.timers.reset());

test('a terminal shows one short line per request', () => {
  const { requests, text } = openTerminal();
  requests.requestEnded(request);
  mock.timers.tick(1_000);
  requests.requestEnded({ ...request, route: undefined, status: 404 });
  assert.equal(
    text(),
    'INFO (worker 1): GET /things/:id 200 in 0.9 ms\nINFO (worker 1): GET (no route) 404 in 0.9 ms\n',
  );
});

test('under load a terminal shows the count of successful requests every ten seconds, and each failed or slow one', () => {
  const { requests, text } = openTerminal();
  for (let second = 0; second < 20; second += 1) {
    for (let n = 0; n < 500; n += 1) requests.requestEnded(request);
    if (second === 15) requests.requestEnded({ ...request, durationMs: 1_500 });
    if (second === 16) requests.requestEnded({ ...request, status: 503 });
    mock.timers.tick(1_000);
  }
  const lines = text().trimEnd().split('\n');
  assert.equal(lines.filter((line) => line.includes('GET /things/:id 200')).length, 2, 'only before it was busy');
  assert.equal(lines.filter((line) => line.includes('"durationMs":1500')).length, 1);
  assert.equal(lines.filter((line) => line.includes('"status":503')).length, 1);
  const counts = lines.flatMap((line) => / ([\d,]+) more requests succeeded$/u.exec(line)?.[1] ?? []);
  assert.equal(counts.length, 2);
  assert.equal(lines.length, 6);
  mock.timers.tick(2_000);
  requests.requestEnded(request);
  assert.match(text(), /GET \/things\/:id 200 in 0\.9 ms\n$/u, 'shown one by one again when there are few');
});

test('every successful request is shown or counted', () => {
  const { requests, text } = openTerminal();
  for (let n = 0; n < 137; n += 1) requests.requestEnded(request);
  mock.timers.tick(2_000);
  mock.timers.tick(2_000);
  assert.match(text(), /INFO: 135 more requests succeeded\n/u);
});
