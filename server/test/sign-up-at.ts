import assert from 'node:assert/strict';

import { password } from './clients.ts';

/** Somebody with an account at a server in other processes. */
export interface Person {
  readonly token: string;
  readonly id: string;
  /** Resolves with the body; rejects for a refusal. */
  call<Answer>(method: string, path: string, body?: object): Promise<Answer>;
}

interface Server {
  readonly url: string;
}

async function request<Answer>(
  { url }: Server,
  method: string,
  path: string,
  body: object | undefined,
  token?: string,
): Promise<Answer> {
  const headers = {
    connection: 'close',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, ...sent });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of our server.
  return (text === '' ? undefined : JSON.parse(text)) as Answer;
}

export async function signUpAt(server: Server, username: string): Promise<Person> {
  const body = { username, password, first_name: 'First', last_name: 'Last' };
  return personOf(server, await request(server, 'POST', '/accounts', body));
}

/** On another device. */
export async function signInAt(server: Server, username: string): Promise<Person> {
  return personOf(server, await request(server, 'POST', '/sessions', { username, password }));
}

function personOf(
  server: Server,
  { token, user }: { readonly token: string; readonly user: { readonly id: string } },
): Person {
  return { token, id: user.id, call: async (method, path, body) => request(server, method, path, body, token) };
}
