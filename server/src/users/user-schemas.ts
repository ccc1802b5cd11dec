/** The schemas of the users API: what validates requests, serialises answers, and makes the reference. */
import { User, UserNames, UserNamesPatch, UserPageQuery, UserPath } from '@messenger/protocol/users';
import { Type } from 'typebox';

import { newToken, TokenHeaders } from '../http/consistency.ts';

/** What an answer carries beside its body, for the reference. */
function withHeaders<Schema extends object>(schema: Schema, others: Readonly<Record<string, string>> = {}): Schema {
  const described = Object.entries({ ...others, 'Consistency-Token': newToken });
  const headers = described.map(([name, description]) => [name, { type: 'string', description }] as const);
  return { ...schema, headers: Object.fromEntries(headers) };
}

const One = withHeaders(User);
const Created = withHeaders(User, { Location: 'The address of the new user' });
const Page = withHeaders(Type.Array(User, { title: 'UserPage', description: 'Users, newest first' }), {
  Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
});
const Deleted = withHeaders(Type.Null({ description: 'The user is gone' }));

const shared = { tags: ['users'], headers: TokenHeaders };
const aboutOne = { ...shared, params: UserPath };
const ofOne = { refusals: ['user_not_found'] as const };

export const createUser = {
  schema: {
    ...shared,
    operationId: 'create_user',
    summary: 'Create a user',
    description: 'Names are trimmed and stored in NFC.',
    body: UserNames,
    response: { 201: Created },
  },
};

export const listUsers = {
  schema: {
    ...shared,
    operationId: 'list_users',
    summary: 'List users, newest first',
    description: 'Follow the `Link` header for further pages: each costs the same, however deep.',
    querystring: UserPageQuery,
    response: { 200: Page },
  },
};

export const readUser = {
  config: ofOne,
  schema: {
    ...aboutOne,
    operationId: 'read_user',
    summary: 'Read a user',
    description: 'Send the newest `Consistency-Token` to read what was written before.',
    response: { 200: One },
  },
};

export const replaceUser = {
  config: ofOne,
  schema: {
    ...aboutOne,
    operationId: 'replace_user',
    summary: 'Change both names',
    description: 'Repeating the call changes `updated_at` alone.',
    body: UserNames,
    response: { 200: One },
  },
};

export const updateUser = {
  config: ofOne,
  schema: {
    ...aboutOne,
    operationId: 'update_user',
    summary: 'Change one name or both',
    description: 'Names that are left out stay as they are.',
    body: UserNamesPatch,
    response: { 200: One },
  },
};

export const deleteUser = {
  config: ofOne,
  schema: {
    ...aboutOne,
    operationId: 'delete_user',
    summary: 'Delete a user',
    description: 'A repeated call answers `user_not_found`.',
    response: { 204: Deleted },
  },
};
