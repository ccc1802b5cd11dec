import { createHash } from 'node:crypto';

export const callNames = ['get', 'list', 'post', 'put', 'delete'] as const;
export type CallName = (typeof callNames)[number];

export function isCall(name: string): name is CallName {
  return callNames.some((call) => call === name);
}

/** Users that exist in all rounds. */
export const settledUsers = 100_000;

/** A request, and the status of success. */
export interface Question {
  readonly text: string;
  readonly status: number;
}

export interface Spread {
  /** Reads and updates are spread at random over this many of the settled users. */
  readonly users: number;
  /** Users created only for `delete`, as `doomed 1` and so on; each is deleted once. */
  readonly doomed: number;
  /** Of sessions, in rotation; default: requests have no session. */
  readonly tokens?: readonly string[] | undefined;
}

/** The calls of a user in the open loop, on one connection. */
export const visit: readonly CallName[] = ['post', 'get', 'list', 'put', 'get'];

/** Few repetitions among random users, and fast to create. */
const most = 20_000;

/** Both client and server derive ids from a number, so no list has to be sent. In SQL: `md5(name)::uuid`. */
function idOf(name: string): string {
  return createHash('md5')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/u, '$1-$2-$3-$4-');
}

/** One of the first `users` settled users. */
export function anySettledId(users = settledUsers): string {
  return idOf(`settled ${1 + Math.floor(Math.random() * users)}`);
}

/** `path` is that below `/api/v1`. */
export function request(method: string, path: string, body = '', token?: string): string {
  const session = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  const head = `${method} /api/v1${path} HTTP/1.1\r\nhost: bench\r\n${session}`;
  const entity = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
  return `${head}${entity}\r\n${body}`;
}

function names(): string {
  const name = Math.random().toString(36).slice(2, 10);
  return JSON.stringify({ first_name: `A${name}`, last_name: `Z${name}` });
}

function question(call: CallName, number: number, { users }: Spread): Question {
  switch (call) {
    case 'get':
      return { status: 200, text: request('GET', `/users/${anySettledId(users)}`) };
    case 'list':
      return { status: 200, text: request('GET', '/users?limit=20') };
    case 'post':
      return { status: 201, text: request('POST', '/users', names()) };
    case 'put':
      return { status: 200, text: request('PUT', `/users/${anySettledId(users)}`, names()) };
    case 'delete':
      return { status: 204, text: request('DELETE', `/users/${idOf(`doomed ${number}`)}`) };
  }
}

function signedIn(asked: Question, index: number, tokens: readonly string[] = []): Question {
  const token = tokens[index % tokens.length];
  if (token === undefined) return asked;
  return { ...asked, text: asked.text.replace('\r\n', `\r\nauthorization: Bearer ${token}\r\n`) };
}

/** Creates requests in advance, so that this costs nothing during the measurement: `calls` in rotation. */
export function makeQuestions(calls: readonly CallName[], spread: Spread): () => Question | undefined {
  const isDelete = calls.includes('delete');
  const made = Array.from({ length: isDelete ? spread.doomed : most }, (_, index) =>
    signedIn(question(calls[index % calls.length] ?? 'get', index + 1, spread), index, spread.tokens),
  );
  let next = 0;
  return () => {
    if (next === made.length && !isDelete) next = 0;
    return made[next++];
  };
}
