import { pageLimitDefault } from '@messenger/protocol/limits';
import type { FastifyReply } from 'fastify';

import { jsonType } from '../http/security-headers.ts';
import type { HttpServer } from '../http/server.ts';
import { createUser, deleteUser, listUsers, readUser, replaceUser, updateUser } from './user-schemas.ts';
import type { Users } from './users.ts';

const prefix = '/api/v1/users';

const serialised = new WeakMap<object, Buffer>();

/** A list that several clients get at once is the same array, and becomes JSON, and bytes, once. */
function serialiseOnce(value: object, serialise: () => string | ArrayBuffer | Buffer): Buffer {
  let bytes = serialised.get(value);
  if (bytes === undefined) {
    const json = serialise();
    serialised.set(value, (bytes = typeof json === 'string' ? Buffer.from(json) : Buffer.from(new Uint8Array(json))));
  }
  return bytes;
}

/** JSON that fits the schema of the answer. `never`, because the answer is sent and the handler returns none. */
async function sendBytes(reply: FastifyReply, bytes: Buffer): Promise<never> {
  return await reply.type(jsonType).send(bytes);
}

/** The users API of the guide, and what it lacks: PATCH, pages by key, and errors that say what is wrong. */
export function userRoutes(app: HttpServer, users: Pick<Users, keyof Users>): void {
  app.post(prefix, createUser, async (request, reply) => {
    const user = await users.create(request.body, request.caller);
    reply.code(201).header('location', `${prefix}/${user.id}`);
    return user;
  });

  app.get(prefix, listUsers, async (request, reply) => {
    const { limit = pageLimitDefault } = request.query;
    const { users: rows, next } = await users.list(request.query, request.caller);
    const json = serialiseOnce(rows, () => reply.serialize(rows));
    if (next !== undefined) reply.header('link', `<${prefix}?limit=${limit}&after=${next}>; rel="next"`);
    return await sendBytes(reply, json);
  });

  app.get(`${prefix}/:id`, readUser, async (request) => users.get(request.params.id, request.caller));

  app.put(`${prefix}/:id`, replaceUser, async (request) =>
    users.rename(request.params.id, request.body, request.caller),
  );

  app.patch(`${prefix}/:id`, updateUser, async (request) =>
    users.rename(request.params.id, request.body, request.caller),
  );

  app.delete(`${prefix}/:id`, deleteUser, async (request, reply) => {
    await users.delete(request.params.id, request.caller);
    reply.code(204);
    return null;
  });
}
