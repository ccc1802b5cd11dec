/**
 * The floor: the minimum that implements the users API on Fastify, pg and batches, without lifetimes, tokens, limits,
 * metrics and logs. Any further cost of a server is that of its features. Started by fork with a `FloorOrder` as JSON;
 * reports its port when it serves. Its processes share the port (`SO_REUSEPORT`).
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';

import type { User, UserNames } from '@messenger/protocol/users';
import Fastify from 'fastify';
import pg from 'pg';

import type { EndpointPair } from '../src/db/endpoint.ts';
import { findPort } from '../src/process/port.ts';

export interface FloorOrder {
  readonly processes: number;
  readonly endpoints: EndpointPair;
}

const host = '127.0.0.1';
const batchSize = 500;
const columns = 'id, first_name, last_name, created_at, updated_at';

interface Waiting<Call, Answer> {
  readonly call: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls of one event-loop turn share one run; at most two runs at a time. `run` returns results in the order of the
 * calls.
 */
function batch<Call, Answer>(run: (calls: Call[]) => Promise<Answer[]>): (call: Call) => Promise<Answer> {
  const waiting: Waiting<Call, Answer>[] = [];
  let running = 0;
  let isScheduled = false;
  const pump = (): void => {
    isScheduled = false;
    while (waiting.length > 0 && running < 2) {
      running += 1;
      void settle(waiting.splice(0, batchSize));
    }
  };
  const settle = async (taken: readonly Waiting<Call, Answer>[]): Promise<void> => {
    try {
      const answers: readonly unknown[] = await run(taken.map(({ call }) => call));
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- One result per call; it may be `undefined`.
      for (const [index, { resolve }] of taken.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
    running -= 1;
    pump();
  };
  return (call) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    waiting.push({ call, resolve, reject });
    if (!isScheduled) {
      isScheduled = true;
      setImmediate(pump);
    }
    return promise;
  };
}

/**
 * Ids in ascending order, so that statements lock rows in one order and do not deadlock. Of two calls for one id, the
 * later counts.
 */
function byId<Call extends { readonly id: string }>(calls: readonly Call[]): Call[] {
  return [...new Map(calls.map((call) => [call.id, call])).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

type Rename = UserNames & { readonly id: string };

function statements({ write: primary, read: standby }: EndpointPair) {
  const write = new pg.Pool({ ...primary, max: 4 });
  const read = new pg.Pool({ ...standby, max: 4 });
  const find = batch(async (ids: string[]) => {
    const text = `select ${columns} from users where id = any($1::uuid[])`;
    const { rows } = await read.query<User>({ name: 'find', text, values: [ids] });
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  });
  const list = batch(async (calls: undefined[]) => {
    const text = `select ${columns} from users order by created_at desc, id desc limit $1`;
    const { rows } = await read.query<User>({ name: 'list', text, values: [20] });
    return calls.map(() => rows);
  });
  const create = batch(async (users: UserNames[]) => {
    const text = `insert into users (first_name, last_name) select * from unnest($1::text[], $2::text[]) returning ${columns}`;
    const values = [users.map((user) => user.first_name), users.map((user) => user.last_name)];
    return (await write.query<User>({ name: 'create', text, values })).rows;
  });
  const rename = batch(async (calls: Rename[]) => {
    const users = byId(calls);
    const text = `update users set first_name = new.first_name, last_name = new.last_name, updated_at = now()
      from unnest($1::uuid[], $2::text[], $3::text[]) as new (id, first_name, last_name) where users.id = new.id
      returning users.id, users.first_name, users.last_name, users.created_at, users.updated_at`;
    const values = [users.map(({ id }) => id), users.map((one) => one.first_name), users.map((one) => one.last_name)];
    const { rows } = await write.query<User>({ name: 'rename', text, values });
    const renamed = new Map(rows.map((row) => [row.id, row]));
    return calls.map(({ id }) => renamed.get(id));
  });
  const remove = batch(async (calls: { readonly id: string }[]) => {
    const text = 'delete from users where id = any($1::uuid[]) returning id';
    const values = [byId(calls).map(({ id }) => id)];
    const { rows } = await write.query<{ id: string }>({ name: 'remove', text, values });
    const removed = new Set(rows.map(({ id }) => id));
    return calls.map(({ id }) => removed.has(id));
  });
  return { find, list, create, rename, remove };
}

async function serve(port: number, endpoints: EndpointPair): Promise<void> {
  pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (value) => value);
  const { find, list, create, rename, remove } = statements(endpoints);
  const text = { type: 'string' };
  const user = {
    type: 'object',
    properties: { id: text, first_name: text, last_name: text, created_at: text, updated_at: text },
  };
  const name = { type: 'string', minLength: 1, maxLength: 100 };
  const body = {
    type: 'object',
    required: ['first_name', 'last_name'],
    properties: { first_name: name, last_name: name },
  };
  const app = Fastify({ logger: false, routerOptions: { ignoreTrailingSlash: true } });
  app.get<{ Params: { id: string } }>(
    '/api/v1/users/:id',
    { schema: { response: { 200: user } } },
    async (request, reply) => (await find(request.params.id)) ?? reply.code(404).send(),
  );
  app.get('/api/v1/users', { schema: { response: { 200: { type: 'array', items: user } } } }, () => list(undefined));
  app.post<{ Body: UserNames }>('/api/v1/users', { schema: { body, response: { 201: user } } }, (request, reply) => {
    reply.code(201);
    return create(request.body);
  });
  app.put<{ Params: { id: string }; Body: UserNames }>(
    '/api/v1/users/:id',
    { schema: { body, response: { 200: user } } },
    async (request, reply) => {
      const { first_name, last_name } = request.body;
      return (await rename({ id: request.params.id, first_name, last_name })) ?? reply.code(404).send();
    },
  );
  app.delete<{ Params: { id: string } }>('/api/v1/users/:id', async (request, reply) =>
    reply.code((await remove({ id: request.params.id })) ? 204 : 404).send(),
  );
  await app.ready();
  app.server.listen({ port, host, reusePort: true });
  await once(app.server, 'listening');
}

async function serveTogether({ processes, endpoints }: FloorOrder): Promise<number> {
  const port = await findPort(host, 0);
  const children = Array.from({ length: processes }, () =>
    fork(import.meta.filename, [JSON.stringify({ port, endpoints })]),
  );
  await Promise.all(children.map(async (child) => once(child, 'message')));
  return port;
}

process.once('disconnect', () => process.exit());
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Passed by `fork`.
const order = JSON.parse(process.argv[2] ?? '') as FloorOrder | { port: number; endpoints: EndpointPair };
if ('port' in order) {
  await serve(order.port, order.endpoints);
  process.send?.(order.port);
} else {
  process.send?.(await serveTogether(order));
}
