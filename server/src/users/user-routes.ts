import { pageLimitDefault } from '@messenger/protocol/limits';
import { User, UserNames, UserNamesPatch, UserPageQuery, UserPath } from '@messenger/protocol/users';
import { Type } from 'typebox';

import { refusals } from '../http/api-docs.ts';
import type { HttpServer } from '../http/server.ts';
import type { Users } from './users.ts';

const prefix = '/api/v1/users';
const tags = ['users'];

/** What an answer carries beside its body, for the reference. */
function withHeader<Schema extends object>(schema: Schema, name: string, description: string): Schema {
  return { ...schema, headers: { [name]: { type: 'string', description } } };
}

const Created = withHeader(User, 'Location', 'The address of the new user');
const Page = withHeader(
  Type.Array(User, { description: 'Users, newest first' }),
  'Link',
  'On a full page, the address of the next one: `<…>; rel="next"`',
);
const Deleted = Type.Null({ description: 'The user is gone' });

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
    { schema: { tags, summary: 'Create a user', body: UserNames, response: { 201: Created, ...refusals } } },
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
    { schema: { tags, summary: 'Read a user', params: UserPath, response: { 200: User, ...refusals } } },
    async (request) => users.get(request.params.id, request.caller),
  );

  app.put(
    `${prefix}/:id`,
    {
      schema: {
        tags,
        summary: 'Change both names',
        params: UserPath,
        body: UserNames,
        response: { 200: User, ...refusals },
      },
    },
    async (request) => users.rename(request.params.id, request.body, request.caller),
  );

  app.patch(
    `${prefix}/:id`,
    {
      schema: {
        tags,
        summary: 'Change one name or both',
        params: UserPath,
        body: UserNamesPatch,
        response: { 200: User, ...refusals },
      },
    },
    async (request) => users.rename(request.params.id, request.body, request.caller),
  );

  app.delete(
    `${prefix}/:id`,
    {
      schema: { tags, summary: 'Delete a user', params: UserPath, response: { 204: Deleted, ...refusals } },
    },
    async (request, reply) => {
      await users.delete(request.params.id, request.caller);
      reply.code(204);
      return null;
    },
  );
}
