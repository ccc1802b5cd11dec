import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { AuditEvent } from '@messenger/protocol/audit';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { codeOf, createTestServer } from '../../test/http-server.ts';
import { enforceAccess } from '../http/access.ts';
import { createSessionCookies } from '../http/session-cookie.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { createRateLimits } from '../http/rate-limits.ts';
import type { HttpServer } from '../http/server.ts';
import { AuditLog } from './audit-log.ts';
import { AuditReader } from './audit-reader.ts';
import { auditRoutes } from './audit-routes.ts';
import { recordEvent, sweepAudit, type AuditEntry } from './audit-writer.ts';

const database = useDatabase();
const app = useApp(database);

/** The routes alone, with sessions whose token says the role. */
async function createServer(): Promise<HttpServer> {
  const server = await createTestServer();
  const find = async (token: string): Promise<SignedIn> => ({
    userId: randomUUID(),
    sessionId: randomUUID(),
    role: token.startsWith('a') ? 'admin' : 'moderator',
  });
  enforceAccess(server, {
    findSession: find,
    cookies: createSessionCookies({ isSecure: false, maxAgeDays: 1 }),
    limits: createRateLimits({ reads: 0, writes: 0, passwords: 0 }, { now: () => 0 }),
  });
  auditRoutes(server, new AuditLog(new AuditReader(app().databases.reads)));
  return server;
}

let created: Promise<HttpServer> | undefined;
const http = async (): Promise<HttpServer> => (created ??= createServer());
after(async () => (await created)?.close());

const of = (letter: string) => ({ authorization: `Bearer ${letter.repeat(43)}` });
const ask = async (query: string) => (await http()).inject({ url: `/api/v1/audit${query}`, headers: of('a') });

async function list(query: string): Promise<{ events: AuditEvent[]; next: string | undefined }> {
  const answer = await ask(query);
  assert.equal(answer.statusCode, 200, answer.body);
  const next = /^<\/api\/v1\/audit(\?[^>]+)>; rel="next"$/u.exec(String(answer.headers.link))?.[1];
  return { events: Value.Parse(Type.Array(AuditEvent), answer.json()), next };
}

async function record(...entries: readonly AuditEntry[]): Promise<void> {
  for (const entry of entries) await app().databases.writePool.transaction(async (tx) => recordEvent(tx, entry));
  await database().replicated();
}

test('administrators alone read security events', async () => {
  const outcomes = await Promise.all(
    [{}, of('m'), of('a')].map(async (headers) => (await http()).inject({ url: '/api/v1/audit', headers })),
  );
  assert.deepEqual(
    outcomes.map((answer) => (answer.statusCode === 200 ? 200 : codeOf(answer))),
    ['unauthenticated', 'forbidden', 200],
  );
});

test('an event has its kind, account, actor and address', async () => {
  const [userId, actorId] = [randomUUID(), randomUUID()];
  await record(
    { kind: 'role_changed', userId, actorId, address: '192.0.2.1', details: { role: 'admin' } },
    { kind: 'sign_in_failed' },
  );
  const { events } = await list('?limit=2');
  assert.deepEqual(
    events.map(({ id: _id, at: _at, ...event }) => event),
    [
      { kind: 'sign_in_failed', user_id: null, actor_id: null, address: null, details: {} },
      { kind: 'role_changed', user_id: userId, actor_id: actorId, address: '192.0.2.1', details: { role: 'admin' } },
    ],
  );
});

test('pages follow each other without a gap or a repeat, with the filters of the first', async () => {
  const userId = randomUUID();
  const kinds = ['signed_in', 'sign_in_failed', 'password_changed'] as const;
  await record(...Array.from({ length: 12 }, (_, n): AuditEntry => ({ kind: kinds[n % 3] ?? 'signed_in', userId })));
  await record(...kinds.map((kind) => ({ kind, userId: randomUUID() })));
  const walk = async (query: string | undefined): Promise<AuditEvent[]> => {
    if (query === undefined) return [];
    const { events, next } = await list(query);
    return [...events, ...(await walk(next))];
  };
  const all = await walk(`?limit=3&user_id=${userId.toUpperCase()}`);
  assert.equal(new Set(all.map(({ id }) => id)).size, 12);
  assert.deepEqual(
    all,
    all.toSorted((a, b) => (a.at < b.at ? 1 : -1)),
  );
  const failed = await walk(`?limit=3&user_id=${userId}&kind=sign_in_failed`);
  assert.deepEqual([failed.length, new Set(failed.map(({ kind }) => kind))], [4, new Set(['sign_in_failed'])]);
  const ofAll = await walk('?limit=2&kind=password_changed');
  assert.equal(ofAll.filter(({ user_id: user }) => user === userId).length, 4);
  assert.ok(ofAll.length > 4);
});

test('an invalid filter or cursor is refused with its name', async () => {
  for (const [query, field] of [
    ['?kind=nonsense', 'kind'],
    ['?user_id=me', 'user_id'],
    ['?after=nonsense', 'after'],
    ['?limit=0', 'limit'],
  ] as const) {
    const answer = await ask(query);
    assert.equal(codeOf(answer), 'invalid_request');
    assert.equal(answer.json<{ errors: { field: string }[] }>().errors[0]?.field, field);
  }
});

test('an event of a transaction that fails is not kept', async () => {
  const userId = randomUUID();
  const failing = app().databases.writePool.transaction(async (tx) => {
    await recordEvent(tx, { kind: 'signed_in', userId });
    throw new Error('no session');
  });
  await assert.rejects(failing, /no session/u);
  assert.equal((await list(`?user_id=${userId}`)).events.length, 0);
});

test('events are removed when they are older than AUDIT_DAYS, and not before', async () => {
  const userId = randomUUID();
  const days = ['29 days 23 hours', '30 days 1 hour', '90 days'];
  await database().sql(
    `insert into audit (kind, user_id, at) select 'signed_in', $1, now() - age::interval from unnest($2::text[]) age`,
    [userId, days],
  );
  assert.equal(await app().databases.writePool.transaction(sweepAudit(30)), 2);
  assert.equal((await database().sql('select 1 from audit where user_id = $1', [userId])).length, 1);
});
