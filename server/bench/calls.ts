import { createHash } from 'node:crypto';

export const callNames = ['get', 'list', 'create', 'update', 'delete'] as const;
export type CallName = (typeof callNames)[number];

/** Users who stay through all rounds; reads and updates spread over them at random. */
export const settledUsers = 100_000;

/** What one call of a round sends, and which status means that it did what was asked. */
export interface Call {
  readonly status: number;
  /** The next request, whole; undefined when there is nothing left to ask. */
  readonly next: () => string | undefined;
}

/** Ids that both sides of the wire can make from a number: no list of them has to travel. In SQL: `md5(name)::uuid`. */
function idOf(name: string): string {
  return createHash('md5')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/u, '$1-$2-$3-$4-');
}

/** One of those who stay. */
export function anySettledId(): string {
  return idOf(`settled ${1 + Math.floor(Math.random() * settledUsers)}`);
}

function request(method: string, path: string, body = ''): string {
  const head = `${method} /api/v1/users${path} HTTP/1.1\r\nhost: bench\r\n`;
  const entity = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
  return `${head}${entity}\r\n${body}`;
}

function names(): string {
  const name = Math.random().toString(36).slice(2, 10);
  return JSON.stringify({ first_name: `A${name}`, last_name: `Z${name}` });
}

const anyone = (): string => `/${anySettledId()}`;

/** `doomed` is the number of users who were made for `delete` alone, as `doomed 1` and so on. */
export function makeCall(name: CallName, doomed: number): Call {
  let deleted = 0;
  const calls: Readonly<Record<CallName, Call>> = {
    get: { status: 200, next: () => request('GET', anyone()) },
    list: { status: 200, next: () => request('GET', '?limit=20') },
    create: { status: 201, next: () => request('POST', '', names()) },
    update: { status: 200, next: () => request('PUT', anyone(), names()) },
    delete: {
      status: 204,
      next: () => (deleted < doomed ? request('DELETE', `/${idOf(`doomed ${(deleted += 1)}`)}`) : undefined),
    },
  };
  return calls[name];
}
