import { pageLimitDefault } from '@messenger/protocol/limits';
import type { User, UserNamesPatch } from '@messenger/protocol/users';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';

import { readIdempotencyKey, repeatHeader } from '../http/idempotency-key.ts';
import { isUnchanged, readTags, refuseConditions } from '../http/preconditions.ts';
import { Representation, sendRepresentation } from '../http/representation.ts';
import { jsonType } from '../http/security-headers.ts';
import type { HttpServer } from '../http/server.ts';
import { createUser, deleteUser, listUsers, readUser, replaceUser, updateUser } from './user-schemas.ts';
import { tagOf, versionsOf } from './user-versions.ts';
import type { Users } from './users.ts';

const prefix = '/api/v1/users';

const represented = new WeakMap<object, Representation>();

/** What a schema names of a user: a row may have further columns. */
function sent({ id, first_name, last_name, created_at, updated_at }: User): User {
  return { id, first_name, last_name, created_at, updated_at };
}

/**
 * Concurrent requests for one list get the same array: it is serialised, and compressed, once. One call for all rows takes half the time of
 * the schema's serialiser, which makes one for each field (docs/decisions/0048-lists.md).
 */
function representOnce(rows: readonly User[]): Representation {
  let body = represented.get(rows);
  if (body === undefined)
    represented.set(rows, (body = new Representation(jsonType, JSON.stringify(rows.map(sent)), 'list')));
  return body;
}

/** The users API of the guide, extended by PATCH, keyset pages, conditional requests, idempotency keys and detailed errors. */
export function userRoutes(app: HttpServer, users: Pick<Users, keyof Users>): void {
  app.post(prefix, createUser, async (request, reply) => {
    refuseConditions(request.headers, 'If-Match', 'If-None-Match');
    const key = readIdempotencyKey(request.headers);
    const { user, isRepeat } =
      key === undefined
        ? { user: await users.create(request.body, request.caller), isRepeat: false }
        : await users.createOnce(key, request.body, request.caller);
    if (isRepeat) reply.header(repeatHeader, 'true');
    reply.code(201).header('location', `${prefix}/${user.id}`).header('etag', tagOf(user));
    return user;
  });

  app.get(prefix, listUsers, async (request, reply) => {
    const { limit = pageLimitDefault } = request.query;
    const { users: rows, next } = await users.list(request.query, request.caller);
    const body = representOnce(rows);
    if (next !== undefined) reply.header('link', `<${prefix}?limit=${limit}&after=${next}>; rel="next"`);
    return await sendRepresentation(request, reply, body);
  });

  app.get(`${prefix}/:id`, readUser, async (request, reply) => {
    const user = await users.get(request.params.id, request.caller);
    const tag = tagOf(user);
    reply.header('etag', tag);
    if (isUnchanged(request.headers, tag)) return await reply.code(304).send(null);
    return user;
  });

  const rename = async ({ params, body, headers, caller }: Renaming, reply: FastifyReply): Promise<User> => {
    const user = await users.rename(params.id, body, caller, wantedVersions(headers));
    reply.header('etag', tagOf(user));
    return user;
  };
  app.put(`${prefix}/:id`, replaceUser, rename);
  app.patch(`${prefix}/:id`, updateUser, rename);

  app.delete(`${prefix}/:id`, deleteUser, async ({ params, headers, caller }, reply) => {
    await users.delete(params.id, caller, wantedVersions(headers));
    reply.code(204);
    return null;
  });
}

interface Renaming extends Pick<FastifyRequest, 'headers' | 'caller'> {
  readonly params: { readonly id: string };
  readonly body: UserNamesPatch;
}

function wantedVersions(headers: IncomingHttpHeaders): readonly string[] | undefined {
  refuseConditions(headers, 'If-None-Match');
  return versionsOf(readTags(headers, 'If-Match'));
}
