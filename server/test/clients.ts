import assert from 'node:assert/strict';

import { SignInAnswer } from '@messenger/protocol/accounts';
import type { LightMyRequestResponse } from 'fastify';
import { Value } from 'typebox/value';

import type { App } from '../src/app.ts';

export const password = 'rg yzb olwm 7';

/** A client of an app, with or without a session. */
export interface Client {
  readonly token: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Resolves with the answer, whatever it is. */
  call(method: string, path: string, body?: object): Promise<LightMyRequestResponse>;
  /** Resolves with the status, and the code of a refusal: `200`, `403 forbidden`. */
  outcome(method: string, path: string, body?: object): Promise<string>;
}

type Sends = Pick<App, 'http'>;

export function outcomeOf({ statusCode, body }: LightMyRequestResponse): string {
  const code = statusCode < 400 ? undefined : /"code":"(\w+)"/u.exec(body)?.[1];
  return code === undefined ? String(statusCode) : `${statusCode} ${code}`;
}

/** `path` is that below `/api/v1`. */
export async function send(
  { http }: Sends,
  method: string,
  path: string,
  { body, headers = {} }: { readonly body?: object | undefined; readonly headers?: Record<string, string> } = {},
): Promise<LightMyRequestResponse> {
  const options = { url: `/api/v1${path}`, headers, ...(body === undefined ? {} : { payload: body }) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Fastify's type lists the methods.
  return await http.inject({ ...options, method: method as 'GET' });
}

export async function signUp(app: Sends, username: string, names: object = {}): Promise<Client> {
  const body = { username, password, first_name: 'First', last_name: 'Last', ...names };
  return clientOf(app, await send(app, 'POST', '/accounts', { body }));
}

export async function signIn(app: Sends, username: string, withPassword = password): Promise<Client> {
  return clientOf(app, await send(app, 'POST', '/sessions', { body: { username, password: withPassword } }));
}

function clientOf(app: Sends, answer: LightMyRequestResponse): Client {
  assert.equal(outcomeOf(answer), '201');
  const { token = assert.fail('there is no token'), user, session } = Value.Parse(SignInAnswer, answer.json());
  const headers = { authorization: `Bearer ${token}` };
  const call: Client['call'] = async (method, path, body) => send(app, method, path, { body, headers });
  const outcome: Client['outcome'] = async (...wanted) => outcomeOf(await call(...wanted));
  return { token, userId: user.id, sessionId: session.id, call, outcome };
}
