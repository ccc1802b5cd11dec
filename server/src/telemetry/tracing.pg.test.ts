import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { User } from '@messenger/protocol/users';
import { Value } from 'typebox/value';

import { createTestApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { listen } from '../../test/http-server.ts';
import { recordLog } from '../../test/log-lines.ts';
import { startCollector, type Collector, type ReceivedSpan } from '../../test/otlp-collector.ts';
import { waitFor } from '../../test/wait-for.ts';
import { withClient } from '../db/session.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { startTracing } from './tracing.ts';

const database = useDatabase();
const users = '/api/v1/users';
const session = { applicationName: 'test', connectTimeoutMs: 1_000, statementTimeoutMs: 0 };
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const unknown = '019a0000-0000-7000-8000-000000000000';

interface Traced {
  readonly url: string;
  readonly text: () => string;
  /** Pending writes, and running transactions. */
  readonly writes: () => { readonly waiting: number; readonly inFlight: number };
  readonly untilStandbyFits: () => Promise<void>;
  /** Closes the server, which sends the last spans. */
  readonly close: () => Promise<void>;
}

async function serveTraced(collector: string, timeoutMs = 10_000): Promise<Traced> {
  const { log, text } = recordLog();
  const options = {
    url: `${collector}/v1/traces`,
    headers: 'x-key=hunter%202',
    timeoutMs,
    sampler: 'parentbased_always_on',
    ratio: 1,
  };
  const service = { serviceName: 'tested', serviceVersion: '1', resourceAttributes: 'deployment=test', worker: 1 };
  const databases = { write: 'w', read: 'r' };
  const tracing = startTracing({ ...options, ...service, databases }, log);
  const app = await createTestApp(database().endpoints, { log, tracing, env: { DB_BATCHING: 'on' } });
  const url = `http://127.0.0.1:${await listen(app.http)}`;
  const close = async (): Promise<void> => {
    await app.http.close();
    await app.close();
    await tracing.close();
  };
  const writes: Traced['writes'] = () => {
    const load = app.databases.batches.flatMap(({ loads }) => loads).find(({ name }) => name === 'writes');
    assert(load);
    return load;
  };
  const untilStandbyFits = async (): Promise<void> =>
    waitFor('the standby to be read from', () => app.databases.standbys.isAnyFit);
  return { url, text, writes, untilStandbyFits, close };
}

async function create(url: string, headers: Readonly<Record<string, string>> = {}): Promise<User> {
  const answer = await fetch(url + users, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ first_name: 'hunter2', last_name: 'hunter2' }),
  });
  assert.equal(answer.status, 201);
  return Value.Parse(User, await answer.json());
}

/** The batches and statements of a request in order, with their pools. */
function below(collector: Collector, { spanId }: ReceivedSpan): string[] {
  const childrenOf = (id: string): ReceivedSpan[] =>
    collector.spans().filter(({ parentSpanId }) => parentSpanId === id);
  return childrenOf(spanId).flatMap((batch) =>
    childrenOf(batch.spanId).map((statement) => {
      assert.equal(statement.attributes['messenger.pool'], batch.attributes['messenger.pool']);
      return `${batch.attributes['messenger.pool']}: ${batch.name} > ${statement.name}`;
    }),
  );
}

function only(collector: Collector, name: string): ReceivedSpan {
  const found = collector.spans().filter((span) => span.name === name);
  assert.equal(
    found.length,
    1,
    `one span ${name}; there are ${collector
      .spans()
      .map((span) => span.name)
      .join(', ')}`,
  );
  const [span] = found;
  assert(span);
  return span;
}

describe('a traced request', () => {
  test("continues the client's trace with request, batch and statement, and its log lines have the trace id", async () => {
    const collector = await startCollector({ answers: true });
    const server = await serveTraced(collector.url);
    await create(server.url, { traceparent: `00-${traceId}-${parentId}-01`, authorization: 'hunter2' });
    await fetch(`${server.url}${users}/hunter2?name=hunter2`);
    await server.close();
    const request = only(collector, `POST ${users}`);
    const batch = only(collector, 'batch writes');
    const statement = only(collector, 'users.insert');
    assert.partialDeepStrictEqual(request, { traceId, parentSpanId: parentId, isError: false });
    assert.partialDeepStrictEqual(batch, { traceId, parentSpanId: request.spanId, links: [] });
    assert.partialDeepStrictEqual(statement, { traceId, parentSpanId: batch.spanId });
    assert.ok(['http.request.method', 'http.route', 'url.scheme'].every((key) => key in request.attributes));
    assert.ok(['db.system.name', 'db.query.summary'].every((key) => key in statement.attributes));
    assert.match(server.text(), new RegExp(`"status":201.*"traceId":"${traceId}"`, 'u'));
    assert.equal(collector.headers()['x-key'], 'hunter 2');
    assert.doesNotMatch(server.text() + collector.text(), /hunter2|insert into/u);
  });

  test('in a shared batch is linked with it, and the batch with all its requests', async () => {
    const collector = await startCollector({ answers: true });
    const server = await serveTraced(collector.url);
    await withClient(database().endpoints.write, session, async (holder) => {
      await holder.query('begin; lock table users in share mode');
      const creating: Promise<User>[] = [];
      for (const inFlight of [1, 2]) {
        creating.push(create(server.url));
        await waitFor('one to be sent alone', () => server.writes().inFlight === inFlight);
      }
      for (let n = 0; n < 38; n += 1) creating.push(create(server.url));
      await waitFor('the others to gather', () => server.writes().waiting === 38);
      await holder.query('commit');
      await Promise.all(creating);
    });
    await server.close();
    const spans = collector.spans();
    const requests = new Set(spans.filter(({ name }) => name === `POST ${users}`).map(({ spanId }) => spanId));
    assert.equal(requests.size, 40);
    const batches = spans.filter(({ name }) => name === 'batch writes');
    const calls = spans.filter(({ name }) => name === 'call writes');
    assert.ok(
      batches.some(({ links }) => links.length > 0),
      'some shared a batch',
    );
    const reached = batches.flatMap(({ parentSpanId, links }) => [parentSpanId, ...links]);
    assert.deepEqual(new Set(reached), requests);
    assert.equal(reached.length, 40);
    for (const { parentSpanId, links } of calls) {
      const batch = batches.find(({ spanId }) => spanId === links[0]);
      assert.ok(batch?.links.includes(parentSpanId), 'each points at the other');
    }
    assert.equal(calls.length + batches.length, 40);
  });

  test('that reads has request, batch and statement on the standby, and again on the primary after a retry', async () => {
    const collector = await startCollector({ answers: true });
    const server = await serveTraced(collector.url);
    const { id } = await create(server.url);
    await database().replicated();
    await server.untilStandbyFits();
    for (const [path, status] of [
      [`/${id}`, 200],
      ['', 200],
      [`/${unknown}`, 404],
    ] as const)
      assert.equal((await fetch(server.url + users + path)).status, status);
    await server.close();
    const [found, doubted] = collector.spans().filter(({ name }) => name === `GET ${users}/:id`);
    assert(found && doubted);
    assert.deepEqual(below(collector, found), ['read: batch users.find > users.find']);
    assert.deepEqual(below(collector, only(collector, `GET ${users}`)), ['read: batch users.page > users.page']);
    assert.deepEqual(below(collector, doubted), [
      'read: batch users.find > users.find',
      'write: batch users.find > users.find',
    ]);
  });

  test('with an endless response has its span when the response starts, not when it ends', async () => {
    const collector = await startCollector({ answers: true });
    const server = await serveTraced(collector.url);
    const page = new AbortController();
    const stream = await fetch(`${server.url}/ops/stream`, { signal: page.signal });
    assert.equal(stream.status, 200);
    await waitFor('its span', () => collector.spans().some(({ name }) => name === 'GET /ops/stream'));
    page.abort();
    await server.close();
    only(collector, 'GET /ops/stream');
  });

  test('is not recorded when the client does not sample it, and still has its trace id in the log', async () => {
    const collector = await startCollector({ answers: true });
    const server = await serveTraced(collector.url);
    await create(server.url, { traceparent: `00-${traceId}-${parentId}-00` });
    await server.close();
    assert.deepEqual(collector.spans(), []);
    assert.match(server.text(), new RegExp(traceId, 'u'));
  });
});

describe('a collector', () => {
  test('that is unavailable costs only spans', async () => {
    const server = await serveTraced('http://127.0.0.1:9', 1_000);
    await create(server.url);
    await server.close();
    assert.match(server.text(), /spans could not be sent/u);
  });

  test('that never answers delays no request and no shutdown', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
    const before = timers();
    const collector = await startCollector({ answers: false });
    const server = await serveTraced(collector.url, 3_000);
    await create(server.url);
    await withDeadline(server.close(), 6_000);
    assert.match(server.text(), /the last spans could not be sent/u);
    await waitFor('the abandoned sending to end', () => timers() <= before);
  });
});
