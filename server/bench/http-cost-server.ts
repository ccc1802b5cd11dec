/**
 * One side of `http-cost.ts`: serves on a free port, which it tells first; then answers each message with its CPU time so
 * far in microseconds.
 */
import { once } from 'node:events';
import type { Server } from 'node:net';

import type { User } from '@messenger/protocol/users';
import Fastify from 'fastify';

import { Drain } from '../src/http/drain.ts';
import { collectMethods } from '../src/http/method-not-allowed.ts';
import { Connections } from '../src/http/connections.ts';
import { createHttpServer, type HttpServer } from '../src/http/server.ts';
import { monotonicClock, type Clock } from '../src/lib/clock.ts';
import { createLog } from '../src/telemetry/log.ts';
import { observeHttpBy, type HttpObserver } from '../src/http/observer.ts';
import { Metrics } from '../src/telemetry/metrics.ts';
import { countRequests } from '../src/telemetry/request-metrics.ts';
import { userRoutes } from '../src/users/user-routes.ts';

const user: User = {
  id: '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d',
  first_name: 'Ada',
  last_name: 'Lovelace',
  created_at: '2026-01-28T12:00:00.123456Z',
  updated_at: '2026-01-28T12:00:00.123456Z',
};

/** The least that Fastify can do for these bytes. */
async function bare(headers: Readonly<Record<string, string>>): Promise<Server> {
  const body = JSON.stringify(user);
  const app = Fastify();
  app.get('/api/v1/users/:id', (_request, reply) => {
    reply.headers(headers).type('application/json; charset=utf-8').send(body);
  });
  await app.ready();
  return app.server;
}

/** Everything of a worker but what is behind `Users`. */
async function messenger(observers: readonly HttpObserver[] = [], clock: Clock = monotonicClock): Promise<HttpServer> {
  let count = 0;
  const app = await createHttpServer({
    requestTimeoutMs: 10_000,
    maxQueueMs: 100,
    connections: new Connections({ total: 1_000, perAddress: 0 }),
    maxBodyBytes: 1_048_576,
    maxHeaderBytes: 8_192,
    corsOrigins: [],
    log: createLog({ level: 'silent', name: 'bench', pretty: false }),
    clock,
    random: Math.random,
    observer: observeHttpBy(observers),
    newRequestId: () => `1-abcdef-${(count += 1).toString(36)}`,
  });
  const methods = collectMethods(app);
  // oxlint-disable-next-line no-new -- It adds its hook.
  new Drain(app);
  const found = async (): Promise<User> => user;
  const list = async () => ({ users: [user], next: undefined });
  const { promise: never } = Promise.withResolvers<never>();
  app.get('/forever', async () => await never);
  userRoutes(app, { get: found, create: found, rename: found, delete: async () => undefined, list });
  methods.close();
  await app.ready();
  return app;
}

/** The headers of our own answers, as they are on the wire. */
async function ourHeaders(): Promise<Record<string, string>> {
  const app = await messenger();
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const { headers } = await fetch(`${address}/api/v1/users/${user.id}`);
  await app.close();
  const notOurs = new Set(['content-type', 'content-length', 'date', 'connection', 'keep-alive']);
  return Object.fromEntries([...headers].filter(([name]) => !notOurs.has(name)));
}

/** Its clock stands still once a queue has stood for the two windows that `Admission` wants to see: it refuses for ever. */
async function refusing(): Promise<Server> {
  let now = 0;
  const app = await messenger([], { now: () => now });
  for (let n = 0; n < 64; n += 1) void app.inject('/forever');
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const status of [404, 503]) {
    now += 110;
    const answer = await fetch(address);
    if (answer.status !== status) throw new Error(`the server said ${answer.status} in place of ${status}`);
  }
  return app.server;
}

const side = process.argv[2] ?? '';
const servers: Readonly<Record<string, () => Promise<Server>>> = {
  bare: async () => bare({}),
  'bare with our headers': async () => bare(await ourHeaders()),
  messenger: async () => (await messenger()).server,
  'messenger counting': async () => (await messenger([countRequests(new Metrics())])).server,
  'messenger refusing': refusing,
};
const server = await servers[side]?.();
if (server === undefined) throw new Error(`there is no side ${side}`);
if (!server.listening) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}
process.on('message', () => {
  const { user: inUser, system } = process.cpuUsage();
  process.send?.(inUser + system);
});
process.on('disconnect', () => process.exit());
const address = server.address();
process.send?.(typeof address === 'object' ? address?.port : undefined);
