/** The schemas of the users API: they validate requests, serialise answers and generate the reference. */
import { idempotencyKeyHours } from '@messenger/protocol/limits';
import { User, UserNames, UserNamesPatch, UserPageQuery, UserPath } from '@messenger/protocol/users';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { keyPattern } from '../http/idempotency-key.ts';
import { patchTypes } from '../http/json-body.ts';
import { tagsPattern } from '../http/preconditions.ts';

const ETag = 'The version of the user, for `If-Match` and `If-None-Match`';
const One = withHeaders(User, { ETag });
const Created = withHeaders(User, {
  ETag,
  Location: 'The address of the new user',
  'Idempotent-Replayed': '`true` when the answer repeats that to an earlier request with the same `Idempotency-Key`',
});
const pageTag = 'The state of the page, for `If-None-Match`';
const Page = withHeaders(Type.Array(User, { title: 'UserPage', description: 'Users, newest first' }), {
  ETag: pageTag,
  Link: 'The address of the next page, absent at the end: `<…>; rel="next"`',
});
const Deleted = withHeaders(Type.Null({ description: 'The user was deleted' }));

/** Documents a 304. */
function unchanged(tag: string) {
  return withHeaders(Type.Null({ description: 'Not changed: the client has this version' }), { ETag: tag });
}

const ifMatch = Type.Optional(
  Type.String({
    pattern: tagsPattern,
    description: 'Entity tags: refused with `precondition_failed` unless one of them is current',
  }),
);
const ifNoneMatch = Type.Optional(
  Type.String({
    pattern: tagsPattern,
    description: 'Entity tags that the client has: when one of them is current, the answer is 304',
  }),
);
const CreatingHeaders = Type.Object({
  ...TokenHeaders.properties,
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: keyPattern,
      description:
        'A new UUID for each user to create: a repeated request with the same key and body gets the first answer again ' +
        `and creates no second user, for ${idempotencyKeyHours} hours`,
    }),
  ),
});
const ReadingHeaders = Type.Object({
  ...TokenHeaders.properties,
  'if-match': ifMatch,
  'if-none-match': ifNoneMatch,
});
const ChangingHeaders = Type.Object({ ...TokenHeaders.properties, 'if-match': ifMatch });

const shared = { tags: ['users'] };
const aboutOne = { ...shared, params: UserPath };
const changingOne = { ...aboutOne, headers: ChangingHeaders };
const ofOne = { access: 'guest', refusals: ['user_not_found', 'precondition_failed'] } as const;
/** The last two concern users who have an account. */
const changesOne = { access: 'guest', refusals: [...ofOne.refusals, 'unauthenticated', 'forbidden'] } as const;

export const createUser = {
  config: { access: 'guest', refusals: ['idempotency_key_reused'] } as const,
  schema: {
    ...shared,
    headers: CreatingHeaders,
    operationId: 'create_user',
    summary: 'Create a user',
    description: 'Names are trimmed and stored in NFC. To retry safely, send an `Idempotency-Key`.',
    body: UserNames,
    response: { 201: Created },
  },
};

export const listUsers = {
  config: { access: 'guest', refusals: ['precondition_failed', 'unauthenticated'] } as const,
  schema: {
    ...shared,
    headers: ReadingHeaders,
    operationId: 'list_users',
    summary: 'List users, newest first',
    description: 'Follow the `Link` header for further pages: each costs the same at any depth.',
    querystring: UserPageQuery,
    response: { 200: Page, 304: unchanged(pageTag) },
  },
};

export const readUser = {
  config: ofOne,
  schema: {
    ...aboutOne,
    headers: ReadingHeaders,
    operationId: 'read_user',
    summary: 'Read a user',
    description: 'Send the newest `Consistency-Token` to read earlier writes.',
    response: { 200: One, 304: unchanged(ETag) },
  },
};

export const replaceUser = {
  config: changesOne,
  schema: {
    ...changingOne,
    operationId: 'replace_user',
    summary: 'Change both names',
    description: 'A repeated call changes only `updated_at`.',
    body: UserNames,
    response: { 200: One },
  },
};

export const updateUser = {
  config: changesOne,
  schema: {
    ...changingOne,
    operationId: 'update_user',
    summary: 'Change one name or both',
    description:
      'Absent names stay unchanged. As in a merge patch (RFC 7396), `null` would remove a name; both are required, so it ' +
      'is refused.',
    consumes: [...patchTypes],
    body: UserNamesPatch,
    response: { 200: One },
  },
};

export const deleteUser = {
  config: { access: 'guest', refusals: [...changesOne.refusals, 'last_administrator'] } as const,
  schema: {
    ...changingOne,
    operationId: 'delete_user',
    summary: 'Delete a user',
    description:
      'A repeated call answers `user_not_found`. Only administrators delete a user who has an account; the account goes with it.',
    response: { 204: Deleted },
  },
};
