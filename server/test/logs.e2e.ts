/** What a server says of its requests: log lines, and traces. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { parseLines } from './log-lines.ts';
import { startCollector } from './otlp-collector.ts';
import { useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const collector = await startCollector({ answers: true });
let server: Run;

before(async () => {
  const env = { LOG_REQUESTS: '100000', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const options = { env, args: ['--workers', '2'] };
  server = await servers.start(await servers.data(), options);
});

/** More lines than a pipe buffers. */
const manyRequests = 2_000;

async function ask({ url }: Run, count: number): Promise<void> {
  for (let asked = 0; asked < count; asked += 50) {
    const answers = Array.from({ length: 50 }, async () => fetch(`${url}/livez`));
    for (const answer of await Promise.all(answers)) {
      assert.equal(answer.status, 200);
      await answer.text();
    }
  }
}

test('each worker logs a line per request, without user input', async () => {
  const answer = await fetch(`${server.url}/api/v1/users`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer hunter2',
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({ first_name: 'hunter2', last_name: 'hunter2' }),
  });
  await answer.text();
  await fetch(`${server.url}/api/v1/users/hunter2?name=hunter2`);
  const lines = (): ReturnType<typeof parseLines> => parseLines(server.stderr, 'request');
  await waitFor('both lines', () => lines().length === 2);
  assert.partialDeepStrictEqual(lines()[0], {
    method: 'POST',
    route: '/api/v1/users',
    status: 201,
    traceId,
    requestId: answer.headers.get('request-id'),
  });
  assert.match(String(lines()[0]?.['name']), /^worker \d$/u);
  assert.doesNotMatch(server.stderr + server.stdout, /hunter2/u);
});

test('a log reader that blocks, then disappears, delays no worker and no shutdown, which sends the last traces', async () => {
  const workers = workersOf(server.pid);
  server.child.stderr?.pause();
  await ask(server, manyRequests);
  assert.deepEqual(workersOf(server.pid), workers);
  server.child.stderr?.destroy();
  await ask(server, manyRequests / 10);
  assert.deepEqual(workersOf(server.pid), workers, 'no worker died');
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
  const names = collector.spans().flatMap((span) => (span.traceId === traceId ? [span.name] : []));
  assert.deepEqual(names.toSorted(), ['POST /api/v1/users', 'batch writes', 'position.primary', 'users.insert']);
  assert.doesNotMatch(collector.text(), /hunter2/u);
});
