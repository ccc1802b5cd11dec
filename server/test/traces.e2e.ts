import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startCollector } from './otlp-collector.ts';
import { useServers } from './start-server.ts';

const servers = useServers();
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

test('a server with a collector sends its last traces before it ends', async () => {
  const collector = await startCollector({ answers: true });
  const server = await servers.start(await servers.data(), {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  const answer = await fetch(`${server.url}/api/v1/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    body: JSON.stringify({ first_name: 'hunter2', last_name: 'hunter2' }),
  });
  await answer.text();
  assert.equal(answer.status, 201);
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
  const names = collector.spans().flatMap((span) => (span.traceId === traceId ? [span.name] : []));
  assert.deepEqual(names.toSorted(), ['POST /api/v1/users', 'batch writes', 'position.primary', 'users.insert']);
  assert.match(server.stderr, new RegExp(`"traceId":"${traceId}"`, 'u'));
  assert.doesNotMatch(collector.text() + server.stderr, /hunter2/u);
});
