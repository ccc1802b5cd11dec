/** The schemas of accounts and sessions: they validate requests, serialise answers and generate the reference. */
import {
  AccountDeletion,
  AccountPageQuery,
  AccountPatch,
  AccountPath,
  Member,
  MemberPatch,
  PasswordChange,
  PasswordChanged,
  Session,
  SessionPath,
  SignIn,
  SignInAnswer,
  SignUp,
} from '@messenger/protocol/accounts';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { patchTypes } from '../http/json-body.ts';

const accounts = { tags: ['accounts'], headers: TokenHeaders };
const sessions = { tags: ['sessions'], headers: TokenHeaders };
const signedIn = { access: 'signedIn' } as const;
const administrator = { access: 'administrator' } as const;
const checksPassword = { rateGroup: 'passwords' } as const;

const One = withHeaders(Member);
const Done = withHeaders(Type.Null({ description: 'Done' }));
const SetCookie = { 'Set-Cookie': 'The session, when it is a cookie' };

export const createAccount = {
  config: { access: 'guest', refusals: ['registration_closed', 'username_taken', 'too_many_attempts'] } as const,
  schema: {
    ...accounts,
    operationId: 'create_account',
    summary: 'Sign up',
    description:
      'Creates an account, its user and a session. The first account of a server is an administrator. While registration is closed, only ' +
      'administrators may do this.',
    body: SignUp,
    response: { 201: withHeaders(SignInAnswer, { ...SetCookie, Location: 'The address of the new user' }) },
  },
};

export const listAccounts = {
  config: administrator,
  schema: {
    ...accounts,
    operationId: 'list_accounts',
    summary: 'List accounts, newest first',
    description: 'For administrators. Follow the `Link` header for further pages.',
    querystring: AccountPageQuery,
    response: {
      200: withHeaders(Type.Array(Member, { title: 'MemberPage', description: 'Accounts and their users' }), {
        Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
      }),
    },
  },
};

export const updateAccount = {
  config: { ...administrator, refusals: ['account_not_found', 'last_administrator'] } as const,
  schema: {
    ...accounts,
    operationId: 'update_account',
    summary: 'Change the role of an account, disable it, or enable it',
    description: 'For administrators. Disabling ends all sessions of the account.',
    params: AccountPath,
    consumes: [...patchTypes],
    body: AccountPatch,
    response: { 200: One },
  },
};

export const readMe = {
  config: { ...signedIn, refusals: ['account_not_found'] } as const,
  schema: {
    ...accounts,
    operationId: 'read_me',
    summary: 'Read the own account',
    description: 'The account of the session, and its user.',
    response: { 200: One },
  },
};

export const updateMe = {
  config: {
    ...signedIn,
    refusals: ['account_not_found', 'username_taken', 'wrong_password', 'too_many_attempts'],
  } as const,
  schema: {
    ...accounts,
    operationId: 'update_me',
    summary: 'Change the own names, the username, or whether others see what is read',
    description: 'Fields that are left out stay as they are. A new username needs the password.',
    consumes: [...patchTypes],
    body: MemberPatch,
    response: { 200: One },
  },
};

export const changeOwnPassword = {
  config: {
    ...signedIn,
    ...checksPassword,
    refusals: ['wrong_password', 'account_not_found', 'too_many_attempts'],
  } as const,
  schema: {
    ...accounts,
    operationId: 'change_own_password',
    summary: 'Change the own password',
    description: 'Ends all other sessions of the account, and replaces the token of this one.',
    body: PasswordChange,
    response: { 200: withHeaders(PasswordChanged, SetCookie) },
  },
};

export const deleteMe = {
  config: {
    ...signedIn,
    ...checksPassword,
    refusals: ['wrong_password', 'account_not_found', 'last_administrator', 'too_many_attempts'],
  } as const,
  schema: {
    ...accounts,
    operationId: 'delete_me',
    summary: 'Delete the own account',
    description:
      'Deletes the account, its sessions and its user. Afterwards its memberships, reactions and settings are removed, and its username in the ' +
      'messages of others; the texts of its own messages only with `messages: erase`.',
    body: AccountDeletion,
    response: { 204: withHeaders(Type.Null({ description: 'The account is deleted' })) },
  },
};

export const createSession = {
  config: {
    access: 'guest',
    refusals: ['invalid_credentials', 'account_disabled', 'too_many_attempts'],
  } as const,
  schema: {
    ...sessions,
    operationId: 'create_session',
    summary: 'Sign in',
    description:
      'Ends the session that the request carries, if any. A wrong username and a wrong password get the same answer.',
    body: SignIn,
    response: { 201: withHeaders(SignInAnswer, SetCookie) },
  },
};

export const listSessions = {
  config: signedIn,
  schema: {
    ...sessions,
    operationId: 'list_sessions',
    summary: 'List the own sessions, newest first',
    description: 'Where the account is signed in.',
    response: { 200: withHeaders(Type.Array(Session, { title: 'Sessions', description: 'The valid sessions' })) },
  },
};

export const endSession = {
  config: { ...signedIn, refusals: ['session_not_found'] } as const,
  schema: {
    ...sessions,
    operationId: 'end_session',
    summary: 'End a session, the current one included',
    description: 'When this is answered, this server serves no further request of the session.',
    params: SessionPath,
    response: { 204: Done },
  },
};

export const endOtherSessions = {
  config: signedIn,
  schema: {
    ...sessions,
    operationId: 'end_other_sessions',
    summary: 'End all other sessions of the account',
    description: 'When this is answered, this server serves no further request of them.',
    response: { 204: Done },
  },
};
