/** The cost of an answer without the databases, in system calls and serialisations. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';

import type { User } from '@messenger/protocol/users';

import { createTestServer, listen } from '../../test/http-server.ts';
import { AppError } from '../lib/app-error.ts';
import type { HttpServer } from '../http/server.ts';
import { userRoutes } from './user-routes.ts';

const users = '/api/v1/users';
const id = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
const busy = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4e';
const names = { first_name: 'Ada', last_name: 'Lovelace' };
const created = '2026-01-28T12:00:00.123456Z';
/** With a property that the schema lacks. */
const stored = { id, ...names, created_at: created, updated_at: created, password: 'x' };
const user: User = stored;

let app: HttpServer;
let url = '';
const counts = { writes: 0 };
let page: User[] = [];

before(async () => {
  app = await createTestServer();
  const one = async (wanted: string): Promise<User> => {
    if (wanted === busy) throw new AppError('pool_exhausted');
    return user;
  };
  const useCases = {
    create: async () => user,
    createOnce: async () => ({ user, isRepeat: true }),
    get: one,
    rename: one,
    delete: async () => undefined,
    list: async () => ({ users: page, next: 'next' }),
  };
  const holders = {
    renameUser: one,
    deleteUser: async () => undefined,
    search: async () => ({ users: page, next: 'next' }),
  };
  userRoutes(app, { users: useCases, holders, access: 'guest' });
  app.server.on('connection', countWrites);
  url = `http://127.0.0.1:${await listen(app)}`;
});
after(async () => {
  app.server.closeAllConnections();
  await app.close();
});
beforeEach(() => {
  counts.writes = 0;
  page = Array.from({ length: 20 }, () => user);
});

/** Each is a system call; corked writes are one. */
function countWrites(socket: Socket): void {
  const write = socket._write.bind(socket);
  const writeMany = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, done) => {
    counts.writes += 1;
    write(chunk, encoding, done);
  };
  socket._writev = (chunks, done) => {
    counts.writes += 1;
    writeMany?.(chunks, done);
  };
}

async function call(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const payload = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${url}${path}`, { method, headers, ...payload });
  return { status: answer.status, text: await answer.text() };
}

const answers: readonly (readonly [method: string, path: string, status: number, body?: object])[] = [
  ['GET', `${users}/${id}`, 200],
  ['GET', `${users}?limit=20`, 200],
  ['POST', users, 201, names],
  ['PUT', `${users}/${id}`, 200, names],
  ['PATCH', `${users}/${id}`, 200, names],
  ['DELETE', `${users}/${id}`, 204],
  ['GET', `${users}/nonsense`, 400],
  ['GET', `${users}/${busy}`, 503],
  ['GET', '/nowhere', 404],
];

for (const [method, path, status, body] of answers) {
  test(`the answer to ${method} ${path} is one write with head and body`, async () => {
    assert.equal((await call(method, path, body)).status, status);
    assert.equal(counts.writes, 1);
  });
}

test('answers have only the properties of the schema', async () => {
  for (const [method, path, status, body] of answers.filter(([, , wanted]) => wanted < 300)) {
    const { text } = await call(method, path, body);
    assert.doesNotMatch(text, /password/u, `${method} ${path}`);
    assert.equal(text.includes('Lovelace'), status !== 204, `${method} ${path}`);
  }
});

test('a list shared by fifty concurrent clients is serialised once', async () => {
  let reads = 0;
  const watched = Object.defineProperty({ ...user }, 'last_name', {
    enumerable: true,
    get: () => {
      reads += 1;
      return 'Lovelace';
    },
  });
  page = [watched];
  await app.inject(users);
  const once = reads;
  page = [watched];
  const all = await Promise.all(Array.from({ length: 50 }, async () => app.inject(users)));
  assert.ok(all.every(({ body }) => body.includes('Lovelace')));
  assert.equal(reads - once, once);
});
