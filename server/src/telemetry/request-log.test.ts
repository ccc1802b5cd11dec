import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';

import { createTestServer, listen } from '../../test/http-server.ts';
import { recordLog } from '../../test/log-lines.ts';
import { waitFor } from '../../test/wait-for.ts';
import { observeHttpBy, type EndedRequest } from '../http/observer.ts';
import { AppError } from '../lib/app-error.ts';
import { RequestLog } from './request-log.ts';

const ended: EndedRequest = {
  method: 'GET',
  route: '/things/:id',
  requestId: 'a-1',
  traceId: undefined,
  client: '192.0.2.7',
  status: 200,
  beganMs: 0,
  durationMs: 1.234,
};
const failures = 'a request failed or was slow';

describe('a burst', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  test('of successful requests has at most the configured lines, and the rest is counted', () => {
    const { log, lines } = recordLog();
    const requests = new RequestLog(log, { mostPerSecond: 10, slowMs: 1_000 });
    for (let n = 0; n < 500; n += 1) requests.requestEnded(ended);
    assert.equal(lines().length, 10);
    mock.timers.tick(1_000);
    assert.deepEqual(
      lines('requests were not logged one by one').map(({ count }) => count),
      [490],
    );
    requests.requestEnded(ended);
    assert.equal(lines('request').length, 11, 'the next second has its own');
    requests.close();
    assert.equal(lines().length, 12, 'nothing was left out since');
  });

  test('of slow requests has bounded lines, and the rest is counted', () => {
    const { log, lines } = recordLog();
    const requests = new RequestLog(log, { mostPerSecond: 10, slowMs: 1_000 });
    for (let n = 0; n < 200; n += 1) {
      requests.requestEnded(ended);
      requests.requestEnded({ ...ended, durationMs: 1_000 });
    }
    assert.equal(lines(failures).length, 10);
    requests.close();
    assert.equal(lines('slow requests were not logged one by one')[0]?.['count'], 190);
  });

  test("of failures has one line per route and status, with a count and a client's address", () => {
    const { log, lines } = recordLog();
    const requests = new RequestLog(log, { mostPerSecond: 10, slowMs: 1_000 });
    for (let n = 0; n < 3_000; n += 1) {
      requests.requestEnded({ ...ended, status: 504 });
      requests.requestEnded({ ...ended, status: 500 });
    }
    requests.close();
    assert.deepEqual(
      lines(failures).map(({ status, client }) => [status, client]),
      [
        [504, '192.0.2.7'],
        [500, '192.0.2.7'],
      ],
    );
    assert.deepEqual(
      lines('requests failed').map(({ status, count }) => [status, count]),
      [
        [504, 2_999],
        [500, 2_999],
      ],
    );
  });
});

test('with a rate of zero, successful requests have neither lines nor a count', () => {
  const { log, lines } = recordLog();
  const requests = new RequestLog(log, { mostPerSecond: 0, slowMs: 1_000 });
  requests.requestEnded(ended);
  requests.requestEnded({ ...ended, status: 500 });
  requests.close();
  assert.deepEqual(
    lines().map(({ msg }) => msg),
    [failures],
  );
});

describe('the line of a request', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const { log, lines, text } = recordLog();

  test('has method, route, result and ids, and never user input', async () => {
    const requests = new RequestLog(log, { mostPerSecond: 100, slowMs: 30_000 });
    const app = await createTestServer({ log, observer: observeHttpBy([requests]) });
    app.get('/things/:id', async () => ({}));
    app.get('/refused', async () => {
      throw new AppError('pool_exhausted');
    });
    app.get('/defect', async () => {
      throw new TypeError('a defect');
    });
    const port = await listen(app);
    const headers = {
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      authorization: 'hunter2',
      'x-other': 'hunter2',
    };
    const ids: (string | null)[] = [];
    for (const path of ['/things/hunter2?name=hunter2', '/refused?hunter2', '/defect', '/hunter2']) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      await answer.text();
      ids.push(answer.headers.get('request-id'));
    }
    await waitFor('all lines', () => [...lines('request'), ...lines(failures)].length === 4);
    await app.close();
    requests.close();
    const byId = (n: number, msg: string) => lines(msg).find(({ requestId }) => requestId === ids[n]);
    assert.partialDeepStrictEqual(byId(0, 'request'), { method: 'GET', route: '/things/:id', status: 200, traceId });
    assert.equal(typeof byId(0, 'request')?.['durationMs'], 'number');
    assert.partialDeepStrictEqual(byId(1, failures), {
      level: 40,
      route: '/refused',
      status: 503,
      traceId,
      client: '127.0.0.1',
    });
    assert.partialDeepStrictEqual(byId(2, failures), { level: 40, route: '/defect', status: 500, traceId });
    assert.partialDeepStrictEqual(byId(3, 'request'), { status: 404, traceId });
    assert.equal(byId(3, 'request')?.['route'], undefined);
    assert.partialDeepStrictEqual(byId(2, 'a request failed'), { level: 50, traceId });
    assert.partialDeepStrictEqual(byId(1, 'a request was refused'), { traceId, client: '127.0.0.1' });
    assert.doesNotMatch(text(), /hunter2/u);
  });

  test('has no invalid trace id', async () => {
    const requests = new RequestLog(log, { mostPerSecond: 100, slowMs: 30_000 });
    const app = await createTestServer({ log, observer: observeHttpBy([requests]) });
    app.get('/garbage', async () => ({}));
    const port = await listen(app);
    await fetch(`http://127.0.0.1:${port}/garbage`, { headers: { traceparent: '00-hunter2-hunter2-01' } });
    const found = (): unknown => lines('request').find(({ route }) => route === '/garbage');
    await waitFor('the line', () => found() !== undefined);
    await app.close();
    requests.close();
    assert.ok(!JSON.stringify(found()).includes('traceId'));
  });
});
