/**
 * A server that waits instead of computing: eight slots in which each request stays 4 ms, like a database with eight
 * connections. Started by fork with `maxQueueMs`; reports its port.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Connections } from '../src/http/connections.ts';
import { createHttpServer } from '../src/http/server.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { Gate } from '../src/lib/gate.ts';
import { createLog } from '../src/telemetry/log.ts';

let count = 0;
const app = await createHttpServer({
  requestTimeoutMs: 10_000,
  keepAliveSeconds: 72,
  maxQueueMs: Number(process.argv[2]),
  connections: new Connections({ total: 30_000, perAddress: 0 }),
  maxBodyBytes: 1_048_576,
  maxHeaderBytes: 8_192,
  corsOrigins: [],
  log: createLog({ level: 'silent', name: 'bench', pretty: false }),
  clock: monotonicClock,
  random: Math.random,
  newRequestId: () => `1-abcdef-${(count += 1).toString(36)}`,
});
const places = new Gate(8, 100_000);
app.get('/api/v1/users', async (request) => {
  await places.enter(10_000, request.lifetime);
  await sleep(4);
  places.leave();
  return {};
});
process.on('disconnect', () => process.exit());
process.send?.(Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port));
