import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Problem } from '@messenger/protocol/problem';
import type { LightMyRequestResponse } from 'fastify';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

import { useApp } from './app.ts';
import { password, send, signUp, type Client } from './clients.ts';
import { useDatabase } from './database.ts';

const app = useApp(useDatabase());

const Content = Type.Record(
  Type.String(),
  Type.Object({ examples: Type.Optional(Type.Record(Type.String(), Type.Object({ value: Type.Unknown() }))) }),
);
const Response = Type.Object({
  content: Type.Optional(Content),
  headers: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const Operation = Type.Object({
  operationId: Type.String(),
  description: Type.String(),
  requestBody: Type.Optional(Type.Object({ content: Content })),
  responses: Type.Record(Type.String(), Response),
});
const Document = Type.Object({
  openapi: Type.String(),
  components: Type.Object({ schemas: Type.Record(Type.String(), Type.Unknown()) }),
  paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)),
});
type Operation = Static<typeof Operation>;

const user = '/api/v1/users/019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
const names = { first_name: 'Ada', last_name: 'Lovelace' };
const readDocument = async (): Promise<Static<typeof Document>> =>
  Value.Parse(Document, (await app().http.inject('/openapi.json')).json());

async function listOperations(): Promise<(Operation & { readonly method: string })[]> {
  return Object.values((await readDocument()).paths).flatMap((methods) =>
    Object.entries(methods).map(([method, operation]) => ({ method, ...operation })),
  );
}

test('generated clients get a name for each call and each type', async () => {
  const { openapi, components, paths } = await readDocument();
  assert.equal(openapi, '3.1.0');
  const ids = (await listOperations()).map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[a-z]+(?:_[a-z]+)+$/u);
  for (const type of Object.keys(components.schemas)) assert.match(type, /^[A-Z][A-Za-z]+$/u);
  assert.doesNotMatch(JSON.stringify(paths), /"title":"(?:User|Problem)/u, 'no type is written out');
});

test('only readiness has not_ready, and only writes have outcome_unknown', async () => {
  const has = ({ responses }: Operation, status: string, code: string): boolean =>
    responses[status]?.content?.['application/problem+json']?.examples?.[code] !== undefined;
  for (const operation of await listOperations()) {
    const { operationId, method } = operation;
    assert.equal(has(operation, '503', 'not_ready'), operationId === 'get_readyz', operationId);
    assert.equal(has(operation, '504', 'outcome_unknown'), method !== 'get', operationId);
  }
});

test('every refusal has an example that is a problem of its status', async () => {
  for (const { operationId, responses } of await listOperations())
    for (const [status, { content }] of Object.entries(responses).filter(([name]) => Number(name) >= 400)) {
      const examples = Object.entries(content?.['application/problem+json']?.examples ?? {});
      assert.ok(examples.length > 0, `${operationId} ${status}`);
      for (const [code, { value }] of examples)
        assert.partialDeepStrictEqual(Value.Parse(Problem, value), { code, status: Number(status) });
    }
});

interface Call {
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly payload?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

const list = '/api/v1/users';
const json = { 'content-type': 'application/json' };
const calls: Readonly<Record<string, Call>> = {
  'a user that is created': { operation: 'create_user', method: 'POST', url: list, payload: names },
  'a list': { operation: 'list_users', method: 'GET', url: list },
  'a list of none': { operation: 'list_users', method: 'GET', url: `${list}?offset=1000` },
  health: { operation: 'get_health', method: 'GET', url: '/health' },
  livez: { operation: 'get_livez', method: 'GET', url: '/livez' },
  readyz: { operation: 'get_readyz', method: 'GET', url: '/readyz' },
  'no JSON': { operation: 'create_user', method: 'POST', url: list, payload: '{', headers: json },
  'no field': { operation: 'create_user', method: 'POST', url: list, payload: {} },
  'no body': { operation: 'replace_user', method: 'PUT', url: user },
  text: {
    operation: 'update_user',
    method: 'PATCH',
    url: user,
    payload: 'x',
    headers: { 'content-type': 'text/plain' },
  },
  'too much': { operation: 'create_user', method: 'POST', url: list, payload: { first_name: 'x'.repeat(1_100_000) } },
  'a wrong id': { operation: 'read_user', method: 'GET', url: `${list}/x` },
  'a wrong limit': { operation: 'list_users', method: 'GET', url: `${list}?limit=0` },
  'a wrong key': {
    operation: 'create_user',
    method: 'POST',
    url: list,
    payload: names,
    headers: { 'idempotency-key': 'a b' },
  },
  'a wrong If-Match': { operation: 'delete_user', method: 'DELETE', url: user, headers: { 'if-match': 'x' } },
  'a wrong token': { operation: 'read_user', method: 'GET', url: user, headers: { 'consistency-token': 'x' } },
  'an unknown user to read': { operation: 'read_user', method: 'GET', url: user },
  'an unknown user to replace': { operation: 'replace_user', method: 'PUT', url: user, payload: names },
  'an unknown user to update': { operation: 'update_user', method: 'PATCH', url: user, payload: names },
  'an unknown user to delete': { operation: 'delete_user', method: 'DELETE', url: user },
};

const optionalHeaders = new Set([
  'Consistency-Token',
  'Idempotent-Replayed',
  'Link',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Set-Cookie',
]);

/** Checks each header that the document declares for the answer, except optional ones. */
function assertHeaders(answer: LightMyRequestResponse, { headers = {} }: Static<typeof Response>): void {
  const named = Object.keys(headers);
  for (const name of named.filter((one) => !optionalHeaders.has(one)))
    assert.ok(answer.headers[name.toLowerCase()] !== undefined, `${name} of ${answer.statusCode}`);
}

/** The document describes the answer: its status, its type, and the code of a refusal. */
async function assertDescribed(answer: LightMyRequestResponse, operation: string): Promise<void> {
  const operations = await listOperations();
  const described = operations.find(({ operationId }) => operationId === operation)?.responses[answer.statusCode];
  assert.ok(described, `${operation} answers ${answer.statusCode}`);
  assertHeaders(answer, described);
  if (described.content === undefined && answer.body === '') return;
  const type = String(answer.headers['content-type']).split(';')[0];
  const { [String(type)]: content } = described.content ?? {};
  assert.ok(
    content,
    `${operation} ${answer.statusCode} is ${type}, not ${Object.keys(described.content ?? {}).join()}`,
  );
  if (answer.statusCode < 400) return;
  const { code } = Value.Parse(Problem, answer.json());
  assert.ok(content.examples?.[code], `${operation} refuses with ${code}`);
}

test('the document describes a repeat, and a key reused with another body', async () => {
  const post = async (payload: object): Promise<LightMyRequestResponse> =>
    await app().http.inject({ method: 'POST', url: list, payload, headers: { 'idempotency-key': 'reused' } });
  const outcomes = [await post(names), await post(names), await post({ ...names, last_name: 'Hopper' })];
  assert.deepEqual(
    outcomes.map(({ statusCode }) => statusCode),
    [201, 201, 422],
  );
  for (const answer of outcomes) await assertDescribed(answer, 'create_user');
});

test('PATCH takes JSON and merge patches, and the others JSON', async () => {
  for (const { operationId, requestBody } of await listOperations())
    if (requestBody !== undefined) {
      const types = operationId.startsWith('update_')
        ? ['application/json', 'application/merge-patch+json']
        : ['application/json'];
      assert.deepEqual(Object.keys(requestBody.content), types, operationId);
    }
});

test('an unchanged user is a 304 with the documented headers and without a body', async () => {
  const { id } = (await app().http.inject({ method: 'POST', url: list, payload: names })).json<{ id: string }>();
  const headers = { 'if-none-match': '*' };
  const answer = await app().http.inject({ url: `${list}/${id}`, headers });
  const operation = (await listOperations()).find(({ operationId }) => operationId === 'read_user');
  assert(operation?.responses['304']);
  assert.equal(operation.responses['304'].content, undefined);
  assertHeaders(answer, operation.responses['304']);
  assert.deepEqual([answer.statusCode, answer.body], [304, '']);
});

describe('the document describes the answer to', () => {
  for (const [name, { operation, ...call }] of Object.entries(calls))
    test(name, async () => assertDescribed(await app().http.inject(call), operation));

  test('requests that read, change and delete a user', async () => {
    const { id } = (await app().http.inject({ method: 'POST', url: list, payload: names })).json<{ id: string }>();
    const url = `${list}/${id}`;
    await assertDescribed(await app().http.inject({ method: 'GET', url }), 'read_user');
    await assertDescribed(await app().http.inject({ method: 'PUT', url, payload: names }), 'replace_user');
    await assertDescribed(await app().http.inject({ method: 'PATCH', url, payload: names }), 'update_user');
    const wrong = { 'if-match': '"x"' };
    await assertDescribed(await app().http.inject({ method: 'GET', url, headers: wrong }), 'read_user');
    await assertDescribed(
      await app().http.inject({ method: 'PUT', url, headers: wrong, payload: names }),
      'replace_user',
    );
    await assertDescribed(
      await app().http.inject({ method: 'PATCH', url, headers: wrong, payload: names }),
      'update_user',
    );
    await assertDescribed(await app().http.inject({ method: 'DELETE', url, headers: wrong }), 'delete_user');
    assert.equal((await app().http.inject({ method: 'DELETE', url })).statusCode, 204);
  });

  test('requests of a whole life of an account', async () => {
    const [admin, client] = [await signUp(app(), 'admin'), await signUp(app(), 'client')];
    const other = await signUp(app(), 'other');
    const me = `/accounts/${client.userId}`;
    const wrong = 'not the password';
    const next = 'rg yzb olwm 8';
    const life: readonly (readonly [operation: string, by: Client | undefined, ...Parameters<Client['call']>])[] = [
      ['create_account', undefined, 'POST', '/accounts', { username: 'x' }],
      ['create_account', undefined, 'POST', '/accounts', { username: 'admin', password, ...names }],
      ['create_session', undefined, 'POST', '/sessions', { username: 'client', password, cookie: true }],
      ['create_session', undefined, 'POST', '/sessions', { username: 'client', password: wrong }],
      ['list_sessions', client, 'GET', '/sessions'],
      ['list_sessions', undefined, 'GET', '/sessions'],
      ['end_session', client, 'DELETE', `/sessions/${admin.sessionId}`],
      ['end_session', client, 'DELETE', '/sessions/x'],
      ['end_other_sessions', client, 'DELETE', '/sessions'],
      ['read_me', client, 'GET', '/me'],
      ['update_me', client, 'PATCH', '/me', { username: 'client.2', password }],
      ['update_me', client, 'PATCH', '/me', { username: 'client.3', password: wrong }],
      ['update_me', client, 'PATCH', '/me', { username: 'admin', password }],
      ['update_me', client, 'PATCH', '/me', {}],
      ['list_users', client, 'GET', '/users?query=a'],
      ['list_users', undefined, 'GET', '/users?query=a'],
      ['replace_user', undefined, 'PUT', `/users/${client.userId}`, names],
      ['update_user', client, 'PATCH', `/users/${admin.userId}`, names],
      ['delete_user', client, 'DELETE', `/users/${client.userId}`],
      ['list_accounts', client, 'GET', '/accounts'],
      ['list_accounts', admin, 'GET', '/accounts?limit=1'],
      ['update_account', admin, 'PATCH', `/accounts/${admin.userId}`, { role: 'member' }],
      ['update_account', admin, 'PATCH', me, { role: 'moderator' }],
      ['change_own_password', client, 'PUT', '/me/password', { current: wrong, new: next }],
      ['change_own_password', other, 'PUT', '/me/password', { current: password, new: next }],
      ['delete_me', client, 'DELETE', '/me', { password: wrong }],
      ['delete_me', client, 'DELETE', '/me', { password }],
      ['end_session', admin, 'DELETE', `/sessions/${admin.sessionId}`],
    ];
    for (const [operation, by, method, path, body] of life)
      await assertDescribed(await (by?.call(method, path, body) ?? send(app(), method, path, { body })), operation);
  });

  test('requests of a whole life of a message', async () => {
    const [owner, member] = [await signUp(app(), 'writer'), await signUp(app(), 'reader')];
    const id = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
    const body = { id: '0199aaaa-0000-7000-8000-000000000002', kind: 'group', title: 'x', members: [member.userId] };
    const where = `/conversations/${body.id}`;
    const [one, none] = [`${where}/messages/1`, `${where}/messages/9`];
    const [like, word] = [encodeURIComponent('👍'), 'x'];
    await owner.call('POST', '/conversations', body);
    const life: readonly (readonly [operation: string, by: Client, ...Parameters<Client['call']>])[] = [
      ['put_message', owner, 'PUT', `${where}/messages/${id}`, { body: '@reader' }],
      ['put_message', owner, 'PUT', `${where}/messages/${id}`, { body: '@reader' }],
      ['put_message', owner, 'PUT', `${where}/messages/${id}`, { body: 'other' }],
      ['put_message', owner, 'PUT', `${where}/messages/1`, { body: 'x' }],
      ['send_message', owner, 'POST', `${where}/messages`, { body: 'x', thread_of: 1 }],
      ['send_message', owner, 'POST', `${where}/messages`, { body: 'x', thread_of: 9 }],
      ['list_messages', member, 'GET', `${where}/messages`],
      ['list_messages', member, 'GET', `${where}/messages?before=1&after=2`],
      ['read_message', member, 'GET', one],
      ['read_message', member, 'GET', none],
      ['read_message', member, 'GET', `${where}/messages/${id}`],
      ['update_message', owner, 'PATCH', one, { body: 'x @reader' }],
      ['update_message', member, 'PATCH', one, { body: 'x' }],
      ['update_message', owner, 'PATCH', one, { body: '' }],
      ['list_revisions', owner, 'GET', `${one}/revisions?limit=1`],
      ['list_revisions', member, 'GET', `${one}/revisions`],
      ['read_thread', member, 'GET', `${one}/thread`],
      ['read_thread', member, 'GET', `${none}/thread`],
      ['add_reaction', member, 'PUT', `${one}/reactions/${like}`],
      ['add_reaction', member, 'PUT', `${one}/reactions/${word}`],
      ['add_reaction', member, 'PUT', `${none}/reactions/${like}`],
      ['list_reactions', member, 'GET', `${one}/reactions?limit=1`],
      ['list_reactions', member, 'GET', `${one}/reactions?after=x`],
      ['remove_reaction', member, 'DELETE', `${one}/reactions/${like}`],
      ['remove_reaction', member, 'DELETE', `${none}/reactions/${like}`],
      ['pin_message', owner, 'PUT', `${one}/pin`],
      ['pin_message', member, 'PUT', `${one}/pin`],
      ['list_pins', member, 'GET', `${where}/pins?limit=1`],
      ['unpin_message', owner, 'DELETE', `${one}/pin`],
      ['unpin_message', member, 'DELETE', `${one}/pin`],
      ['mark_read', member, 'PUT', `${where}/read`, { number: 2 }],
      ['mark_read', member, 'PUT', `/conversations/${id}/read`, { number: 2 }],
      ['mark_unread', member, 'PUT', `${where}/unread`, { number: 2 }],
      ['mark_unread', member, 'PUT', `${where}/unread`, { number: 0 }],
      ['list_readers', owner, 'GET', `${one}/readers`],
      ['list_readers', owner, 'GET', `${none}/readers`],
      ['sum_unread', member, 'GET', '/unread'],
      ['list_mentions', member, 'GET', '/mentions?limit=1'],
      ['list_mentions', member, 'GET', '/mentions?after=x'],
      ['search_messages', member, 'GET', '/search?q=x&limit=1'],
      ['search_messages', member, 'GET', '/search?q=!'],
      ['read_changes', member, 'GET', `${where}/changes?after=0`],
      ['read_changes', member, 'GET', `${where}/changes?after=1000`],
      ['read_changes', member, 'GET', `${where}/changes`],
      ['delete_message', member, 'DELETE', one],
      ['delete_message', owner, 'DELETE', one],
      ['delete_message', owner, 'DELETE', none],
    ];
    for (const [operation, by, ...wanted] of life) await assertDescribed(await by.call(...wanted), operation);
  });

  test('requests of a whole life of a conversation', async () => {
    const [owner, member] = [await signUp(app(), 'owner'), await signUp(app(), 'member')];
    const body = { id: '0199aaaa-0000-7000-8000-000000000001', kind: 'group', title: 'T', members: [member.userId] };
    const one = `/conversations/${body.id}`;
    const life: readonly (readonly [operation: string, by: Client, ...Parameters<Client['call']>])[] = [
      ['open_direct_conversation', owner, 'PUT', `/conversations/direct/${member.userId}`],
      ['open_direct_conversation', member, 'PUT', `/conversations/direct/${owner.userId}`],
      ['open_direct_conversation', owner, 'PUT', `/conversations/direct/${body.id}`],
      ['open_direct_conversation', owner, 'PUT', `/conversations/direct/${owner.userId}`],
      ['create_conversation', owner, 'POST', '/conversations', body],
      ['create_conversation', owner, 'POST', '/conversations', body],
      ['create_conversation', member, 'POST', '/conversations', body],
      ['create_conversation', owner, 'POST', '/conversations', { ...body, is_public: true }],
      ['create_conversation', owner, 'POST', '/conversations', { ...body, id: undefined, members: [body.id] }],
      ['list_conversations', owner, 'GET', '/conversations?limit=1&archived=false'],
      ['list_conversations', owner, 'GET', '/conversations?after=x'],
      ['read_conversation', member, 'GET', one],
      ['read_conversation', member, 'GET', `/conversations/${member.userId}`],
      ['update_conversation', owner, 'PATCH', one, { about: 'two\nlines', edit_window_seconds: 60 }],
      ['update_conversation', owner, 'PATCH', one, { is_public: true }],
      ['update_conversation', member, 'PATCH', one, { title: 'x' }],
      ['configure_conversation', member, 'PUT', `${one}/settings`, { muted_until: '2100-01-01T00:00:00Z' }],
      ['configure_conversation', member, 'PUT', `${one}/settings`, { muted_until: 'x' }],
      ['list_members', owner, 'GET', `${one}/members?limit=1`],
      ['list_members', owner, 'GET', `/conversations/${member.userId}/members`],
      ['add_members', owner, 'POST', `${one}/members`, { user_ids: [member.userId, body.id] }],
      ['add_members', owner, 'POST', `${one}/members`, { user_ids: [] }],
      ['update_member', owner, 'PATCH', `${one}/members/${member.userId}`, { role: 'admin' }],
      ['update_member', owner, 'PATCH', `${one}/members/${member.userId}`, { role: 'reader' }],
      ['update_member', owner, 'PATCH', `${one}/members/${owner.userId}`, { role: 'admin' }],
      ['update_member', owner, 'PATCH', `${one}/members/${body.id}`, { role: 'admin' }],
      ['remove_member', member, 'DELETE', `${one}/members/${owner.userId}`],
      ['remove_member', owner, 'DELETE', `${one}/members/${body.id}`],
      ['leave_conversation', owner, 'DELETE', `${one}/members/me`],
      ['leave_conversation', member, 'DELETE', `${one}/members/me`],
      ['join_channel', member, 'PUT', `${one}/members/me`],
      ['join_channel', owner, 'PUT', `${one}/members/me`],
      ['ban_member', owner, 'PUT', `${one}/bans/${member.userId}`],
      ['ban_member', owner, 'PUT', `${one}/bans/${body.id}`],
      ['ban_member', owner, 'PUT', `${one}/bans/${owner.userId}`],
      ['list_bans', owner, 'GET', `${one}/bans?limit=1`],
      ['list_bans', member, 'GET', `${one}/bans?limit=1`],
      ['unban_member', owner, 'DELETE', `${one}/bans/${member.userId}`],
      ['list_channels', owner, 'GET', '/channels?query=x'],
      ['list_channels', owner, 'GET', '/channels?after=x'],
      ['create_invite', owner, 'POST', `${one}/invites`, { max_uses: 1, expires_in_seconds: 60 }],
      ['create_invite', owner, 'POST', `${one}/invites`, { role: 'reader' }],
      ['create_invite', member, 'POST', `${one}/invites`, {}],
      ['list_invites', owner, 'GET', `${one}/invites`],
      ['list_invites', member, 'GET', `${one}/invites`],
      ['read_invite', member, 'GET', '/invites/x'],
      ['accept_invite', member, 'POST', '/invites/x/accept'],
      ['revoke_invite', owner, 'DELETE', `${one}/invites/x`],
      ['list_blocks', owner, 'GET', '/me/blocks?limit=1'],
      ['read_block', owner, 'GET', `/me/blocks/${member.userId}`],
      ['block_person', owner, 'PUT', `/me/blocks/${member.userId}`],
      ['block_person', owner, 'PUT', `/me/blocks/${owner.userId}`],
      ['block_person', owner, 'PUT', `/me/blocks/${body.id}`],
      ['read_block', owner, 'GET', `/me/blocks/${member.userId}`],
      ['unblock_person', owner, 'DELETE', `/me/blocks/${member.userId}`],
      ['delete_conversation', member, 'DELETE', one],
      ['delete_conversation', owner, 'DELETE', one],
      ['delete_conversation', owner, 'DELETE', one],
    ];
    for (const [operation, by, method, path, content] of life)
      await assertDescribed(await by.call(method, path, content), operation);
  });
});
