import { pageLimitDefault } from '@messenger/protocol/limits';
import type { User, UserNamesPatch, UserPageQuery } from '@messenger/protocol/users';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';

import { clientAddress } from '../http/client-address.ts';
import { readIdempotencyKey, repeatHeader } from '../http/idempotency-key.ts';
import { isUnchanged, readTags, refuseConditions } from '../http/preconditions.ts';
import { Representation, sendRepresentation } from '../http/representation.ts';
import { jsonType } from '../http/security-headers.ts';
import type { HttpServer } from '../http/server.ts';
import { AppError, invalidQuery } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { createUser, deleteUser, listUsers, readUser, replaceUser, updateUser } from './user-schemas.ts';
import { tagOf, versionsOf } from './user-versions.ts';
import type { UserPage, Users } from './users.ts';

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

/** How the users API handles users who have an account: by the rules of accounts. */
interface AccountHolders {
  /** Both reject with `user_not_found` for a user without an account, and with `unauthenticated` or `forbidden`. */
  renameUser(
    id: string,
    names: UserNamesPatch,
    by: By,
    caller: FastifyRequest['caller'],
    versions?: readonly string[],
  ): Promise<User>;
  deleteUser(id: string, by: By, caller: FastifyRequest['caller'], versions?: readonly string[]): Promise<void>;
  /** People by the beginning of a name. */
  search(query: string, limit: number, after: string | undefined, caller: FastifyRequest['caller']): Promise<UserPage>;
}

interface By {
  readonly account: SignedIn | undefined;
  readonly address: string;
}

export interface UserRoutes {
  readonly users: Pick<Users, keyof Users>;
  readonly holders: AccountHolders;
  /** `signedIn`: every call needs a session. */
  readonly access: 'guest' | 'signedIn';
}

/** The users API of the guide, extended by PATCH, keyset pages, conditional requests, idempotency keys and detailed errors. */
export function userRoutes(app: HttpServer, { users, holders, access }: UserRoutes): void {
  const list = async (request: Listing): Promise<UserPage> =>
    request.query.query === undefined
      ? users.list(request.query, request.caller)
      : searchPeople(holders, request, request.query.query);

  app.post(prefix, within(access, createUser), async (request, reply) => {
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

  app.get(prefix, within(access, listUsers), async (request, reply) => {
    const { limit = pageLimitDefault } = request.query;
    const { users: rows, next } = await list(request);
    const body = representOnce(rows);
    const query = request.query.query === undefined ? '' : `query=${encodeURIComponent(request.query.query)}&`;
    if (next !== undefined) reply.header('link', `<${prefix}?${query}limit=${limit}&after=${next}>; rel="next"`);
    return await sendRepresentation(request, reply, body);
  });

  app.get(`${prefix}/:id`, within(access, readUser), async (request, reply) => {
    const user = await users.get(request.params.id, request.caller);
    const tag = tagOf(user);
    reply.header('etag', tag);
    if (isUnchanged(request.headers, tag)) return await reply.code(304).send(null);
    return user;
  });

  const rename = async (request: Renaming, reply: FastifyReply): Promise<User> => {
    const { params, body, headers, caller } = request;
    const versions = wantedVersions(headers);
    const user = await ifAbsent(
      async () => users.rename(params.id, body, caller, versions),
      async () => holders.renameUser(params.id, body, byOf(request), caller, versions),
    );
    reply.header('etag', tagOf(user));
    return user;
  };
  app.put(`${prefix}/:id`, within(access, replaceUser), rename);
  app.patch(`${prefix}/:id`, within(access, updateUser), rename);

  app.delete(`${prefix}/:id`, within(access, deleteUser), async (request, reply) => {
    const { params, headers, caller } = request;
    const versions = wantedVersions(headers);
    await ifAbsent(
      async () => users.delete(params.id, caller, versions),
      async () => holders.deleteUser(params.id, byOf(request), caller, versions),
    );
    reply.code(204);
    return null;
  });
}

type Asking = Pick<FastifyRequest, 'headers' | 'caller' | 'account' | 'ip'>;

interface Renaming extends Asking {
  readonly params: { readonly id: string };
  readonly body: UserNamesPatch;
}

function wantedVersions(headers: IncomingHttpHeaders): readonly string[] | undefined {
  refuseConditions(headers, 'If-None-Match');
  return versionsOf(readTags(headers, 'If-Match'));
}

interface Listing extends Asking {
  readonly query: UserPageQuery;
}

/** The users API shows people to members alone, whoever may use the rest of it. */
async function searchPeople(
  holders: AccountHolders,
  { query, account, caller }: Listing,
  text: string,
): Promise<UserPage> {
  if (account === undefined) throw new AppError('unauthenticated');
  if (query.offset !== undefined) throw invalidQuery('offset', 'cannot be combined with query');
  return await holders.search(text, query.limit ?? pageLimitDefault, query.after, caller);
}

/** A route's options with the access of the whole API. */
function within<Options extends { readonly config: object }, A>(access: A, options: Options) {
  return { ...options, config: { ...options.config, access } };
}

/** `other` for a user whom the users API does not change. */
async function ifAbsent<T>(change: () => Promise<T>, other: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof AppError && error.code === 'user_not_found') return await other();
    throw error;
  }
}

function byOf({ account, ip }: Asking): By {
  return { account, address: clientAddress(ip) };
}
