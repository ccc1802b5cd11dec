import { pageLimitDefault } from '@messenger/protocol/limits';
import { User, UserNames, UserNamesPatch, UserPageQuery, UserPath } from '@messenger/protocol/users';
import { Type } from 'typebox';

import { refusals, writeRefusals } from '../http/api-docs.ts';
import { newToken, TokenHeaders } from '../http/consistency.ts';
import type { HttpServer } from '../http/server.ts';
import type { Users } from './users.ts';

const prefix = '/api/v1/users';
const tags = ['users'];

/** What an answer carries beside its body, for the reference. */
function withHeaders<Schema extends object>(schema: Schema, others: Readonly<Record<string, string>> = {}): Schema {
  const described = Object.entries({ ...others, 'Consistency-Token': newToken });
  const headers = described.map(([name, description]) => [name, { type: 'string', description }] as const);
  return { ...schema, headers: Object.fromEntries(headers) };
}

const One = withHeaders(User);
const Created = withHeaders(User, { Location: 'The address of the new user' });
const Page = withHeaders(Type.Array(User, { description: 'Users, newest first' }), {
  Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
});
const Deleted = withHeaders(Type.Null({ description: 'The user is gone' }));
const headers = TokenHeaders;

const created = { 201: Created, ...writeRefusals };
const changed = { 200: One, ...writeRefusals };
const deleted = { 204: Deleted, ...writeRefusals };

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
  app.post(
    prefix,
    { schema: { tags, summary: 'Create a user', headers, body: UserNames, response: created } },
    async (request, reply) => {
      const user = await users.create(request.body, request.caller);
      reply.code(201).header('location', `${prefix}/${user.id}`);
      return user;
    },
  );

  app.get(
    prefix,
    {
      schema: {
        tags,
        summary: 'List users, newest first',
        headers,
        querystring: UserPageQuery,
        response: { 200: Page, ...refusals },
      },
    },
    async (request, reply) => {
      const { limit = pageLimitDefault } = request.query;
      const { users: rows, next } = await users.list(request.query, request.caller);
      const json = serialiseOnce(rows, () => reply.serialize(rows));
      reply.serializer(() => json);
      if (next !== undefined) reply.header('link', `<${prefix}?limit=${limit}&after=${next}>; rel="next"`);
      return rows;
    },
  );

  app.get(
    `${prefix}/:id`,
    { schema: { tags, summary: 'Read a user', headers, params: UserPath, response: { 200: One, ...refusals } } },
    async (request) => users.get(request.params.id, request.caller),
  );

  app.put(
    `${prefix}/:id`,
    { schema: { tags, summary: 'Change both names', headers, params: UserPath, body: UserNames, response: changed } },
    async (request) => users.rename(request.params.id, request.body, request.caller),
  );

  app.patch(
    `${prefix}/:id`,
    {
      schema: {
        tags,
        summary: 'Change one name or both',
        headers,
        params: UserPath,
        body: UserNamesPatch,
        response: changed,
      },
    },
    async (request) => users.rename(request.params.id, request.body, request.caller),
  );

  app.delete(
    `${prefix}/:id`,
    { schema: { tags, summary: 'Delete a user', headers, params: UserPath, response: deleted } },
    async (request, reply) => {
      await users.delete(request.params.id, request.caller);
      reply.code(204);
      return null;
    },
  );
}
