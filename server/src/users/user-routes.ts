import { pageLimitDefault } from '@messenger/protocol/limits';

import type { HttpServer } from '../http/server.ts';
import { createUser, deleteUser, listUsers, readUser, replaceUser, updateUser } from './user-schemas.ts';
import type { Users } from './users.ts';

const prefix = '/api/v1/users';

const serialised = new WeakMap<object, string>();

/** A list that several clients get at once is the same array, and becomes JSON once. */
function serialiseOnce(value: object, serialise: () => string | ArrayBuffer | Buffer): string {
  const known = serialised.get(value);
  if (known !== undefined) return known;
  const json = serialise();
  const text = typeof json === 'string' ? json : new TextDecoder().decode(json);
  serialised.set(value, text);
  return text;
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
    reply.type('application/json; charset=utf-8').serializer(() => json);
    if (next !== undefined) reply.header('link', `<${prefix}?limit=${limit}&after=${next}>; rel="next"`);
    return rows;
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
