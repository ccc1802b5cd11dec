/** Accounts on a whole server with four workers: what is revoked is revoked on each of them, and what is secret appears nowhere. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { SignInAnswer } from '@messenger/protocol/accounts';
import { Value } from 'typebox/value';

import { Hammer } from './hammer.ts';
import { startCollector, type Collector } from './otlp-collector.ts';
import { useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const collecting = startCollector({ answers: true });
/** Of a request: its connection may be closed before an answer. */
const maxAttempts = 10;
const workers = new Set(['1', '2', '3', '4']);
const username = 'ada-of-the-four-workers';
const password = 'zq vkw jhg plm';
const wrongPassword = 'a wrong zq vkw jhg plm';

let collector: Collector;
let server: Run;
let hammer: Hammer;
let owner: SignInAnswer;
/** Everything that must not be written anywhere. */
const secrets = new Set<string>([password, wrongPassword]);
/** Headers and body of every error answer of the run, by status. */
const refusals = new Map<number, string>();

interface Sent {
  readonly body?: string | undefined;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

async function send(method: string, path: string, body?: object, token?: string): Promise<Response> {
  return await sendText(method, path, { body: body && JSON.stringify(body), token });
}

async function sendText(method: string, path: string, { body, token, headers = {} }: Sent): Promise<Response> {
  const sent = {
    connection: 'close',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...headers,
  };
  const init = { method, headers: sent, body: body ?? null };
  for (let attempts = 1; ; attempts += 1)
    try {
      const answer = await fetch(`${server.url}/api/v1${path}`, { ...init, signal: AbortSignal.timeout(3_000) });
      if (!answer.ok) {
        const text = `${[...answer.headers].join('\n')}\n${await answer.clone().text()}\n`;
        refusals.set(answer.status, (refusals.get(answer.status) ?? '') + text);
      }
      return answer;
    } catch (error) {
      // A full worker closes the connection, so does one that refuses a large body while it is sent, and a frozen one does not answer.
      if (attempts === maxAttempts) throw error;
    }
}

function keep(text: unknown): SignInAnswer {
  const answer = Value.Parse(SignInAnswer, text);
  const { token = assert.fail('there is a token') } = answer;
  for (const encoding of ['hex', 'base64', 'base64url'] as const)
    secrets.add(createHash('sha256').update(token).digest(encoding));
  secrets.add(token);
  return answer;
}

type Session = SignInAnswer & { readonly token: string };

async function signIn(name: string): Promise<Session> {
  const answer = keep(await (await send('POST', '/sessions', { username: name, password })).json());
  return { ...answer, token: answer.token ?? '' };
}

before(async () => {
  collector = await collecting;
  server = await servers.start(await servers.data(), {
    args: ['--workers', '4', '--log-level', 'debug'],
    env: {
      // Few connections make all workers accept some.
      MAX_CONNECTIONS: '10',
      RATE_LIMIT_READS: '0',
      SLOW_STATEMENT_MS: '1',
      SLOW_REQUEST_MS: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
  });
  const names = { first_name: 'Ada', last_name: 'Lovelace' };
  owner = keep(await (await send('POST', '/accounts', { username, password, ...names })).json());
  hammer = new Hammer(`${server.url}/api/v1/me`, 20);
});
after(async () => hammer.stop());

/** Resolves with a session that every worker has served, and that each has cached a moment ago. */
async function servedByAll(name = username): Promise<Session> {
  const session = await signIn(name);
  hammer.use(session.token);
  await waitFor('all workers to serve the session', () => hammer.workersWith(200).isSupersetOf(workers));
  return session;
}

/** Fails for a request that was sent after `answeredMs` and served. Resolves when all workers have refused one. */
async function assertRefused(answeredMs: number): Promise<void> {
  await waitFor('all workers to refuse the session', () => hammer.workersWith(401).isSupersetOf(workers));
  const served = hammer.hits.filter(({ beganMs, status }) => beganMs > answeredMs && status === 200);
  assert.equal(served.length, 0, `${served.length} requests were served after the answer`);
}

test('a session that was ended is served by no worker once this is answered', async () => {
  for (let round = 0; round < 3; round += 1) {
    const { session } = await servedByAll();
    const answer = await send('DELETE', `/sessions/${session.id}`, undefined, owner.token);
    const answeredMs = performance.now();
    assert.ok(answer.status === 204 || answer.status === 404, String(answer.status));
    await assertRefused(answeredMs);
  }
});

test('the same for all other sessions and a new password', async () => {
  const { token } = await servedByAll();
  assert.equal((await send('DELETE', '/sessions', undefined, owner.token)).status, 204);
  await assertRefused(performance.now());
  assert.equal((await send('GET', '/me', undefined, token)).status, 401);

  await servedByAll();
  const next = { current: password, new: password };
  const changed = await send('PUT', '/me/password', next, owner.token);
  const answeredMs = performance.now();
  assert.equal(changed.status, 200);
  owner = keep({ ...owner, ...Object(await changed.json()) });
  await assertRefused(answeredMs);
});

test('the same for a disabled and for a deleted account', async () => {
  const name = 'bob-of-the-four-workers';
  await send('POST', '/accounts', { username: name, password, first_name: 'Bob', last_name: 'Bob' }, owner.token);
  const { user } = await servedByAll(name);
  const path = `/accounts/${user.id}`;
  assert.equal((await send('PATCH', path, { disabled: true }, owner.token)).status, 200);
  await assertRefused(performance.now());
  assert.equal((await send('PATCH', path, { disabled: false }, owner.token)).status, 200);

  const { token } = await servedByAll(name);
  assert.equal((await send('DELETE', '/me', { password }, token)).status, 204);
  await assertRefused(performance.now());
});

test('a frozen worker does not hold up the revocation, and serves nothing of it afterwards', async () => {
  const { session } = await servedByAll();
  const [frozen = assert.fail('there are workers')] = workersOf(server.pid).toReversed();
  process.kill(frozen, 'SIGSTOP');
  try {
    const { status } = await send('DELETE', `/sessions/${session.id}`, undefined, owner.token);
    assert.ok(status === 204 || status === 404, String(status));
  } finally {
    process.kill(frozen, 'SIGCONT');
  }
  await assertRefused(performance.now());
});

/** Sends every secret in every part of a request, to be refused; not as the name of a field, because refusals name unknown fields. */
async function sendSecretsEverywhere(): Promise<void> {
  const secretHeaders = [
    'consistency-token',
    'idempotency-key',
    'if-match',
    'if-none-match',
    'x-forwarded-for',
    'origin',
  ];
  for (const secret of [password, wrongPassword, owner.token ?? '']) {
    const text = encodeURIComponent(secret);
    for (const path of [
      `/users/${text}`,
      `/sessions/${text}`,
      `/${text}`,
      `/users?after=${text}`,
      `/users?limit=${text}`,
    ])
      for (const method of ['GET', 'DELETE', 'PATCH', 'PUT']) await send(method, path);
    for (const name of secretHeaders) await sendText('POST', '/users', { body: '{}', headers: { [name]: secret } });
    for (const value of [secret, `Basic ${btoa(`${username}:${secret}`)}`, `Bearer ${secret} `, `Bearer ${secret}x`])
      await sendText('GET', '/me', { headers: { authorization: value } });
    await sendText('DELETE', '/sessions', {
      headers: { cookie: `messenger=${secret}`, origin: `https://${username}.example` },
    });
    await sendText('POST', '/sessions', { body: `{"password": "${secret}"` });
    await sendText('POST', '/sessions', { body: secret, headers: { 'content-type': `text/${username}` } });
    await send('POST', '/sessions', { username: secret, password: 1 });
    await send('POST', '/sessions', { username, password: secret, cookie: secret });
    await sendText('POST', '/sessions', { body: JSON.stringify({ password: secret.repeat(100_000) }) });
    await sendText('GET', '/me', { headers: { authorization: secret.repeat(400) } });
  }
}

test('passwords, tokens and hashes appear in no log, error, metric, trace or page', async () => {
  await hammer.stop();
  await sendSecretsEverywhere();
  await send('POST', '/sessions', { username: wrongPassword, password });
  await send('POST', '/accounts', { username, password, first_name: 'A', last_name: 'B' });
  await send('POST', '/accounts', { username: 'x', password, first_name: 'A', last_name: 'B', more: password });
  await send('PUT', '/me/password', { current: wrongPassword, new: password }, owner.token);
  await send('PUT', '/me/password', { current: password, new: `${username} ${password}` }, owner.token);
  await send('GET', '/accounts', undefined, (await signUpMember()).token);
  while (!refusals.has(429)) await send('POST', '/sessions', { username, password: wrongPassword });
  const texts = { metrics: '/metrics', page: '/ops', document: '/openapi.json' };
  for (const [name, path] of Object.entries(texts))
    assertClean(name, await (await fetch(`${server.url}${path}`)).text());
  const stream = await fetch(`${server.url}/ops/stream`);
  let sample = '';
  for await (const text of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    sample += text;
    if (sample.length > 1_000) break;
  }
  assertClean('live samples', sample);
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0);
  assert.match(server.stderr, /\/api\/v1\/sessions/u, 'requests are logged');
  assert.match(collector.text(), /POST \/api\/v1\/sessions/u, 'requests are traced');
  assertClean('log', server.stderr + server.stdout);
  assertClean('traces', collector.text());
  for (const [status, text] of refusals) assertClean(`an answer with ${status}`, text);
  assertClean('refused requests of ended sessions', hammer.refusals.join('\n'));
  const expected = [400, 401, 403, 404, 405, 409, 413, 415, 429, 431];
  assert.deepEqual(
    expected.filter((status) => !refusals.has(status)),
    [],
    'all kinds of refusals were searched',
  );
});

async function signUpMember(): Promise<SignInAnswer> {
  const body = { username: 'eve', password, first_name: 'E', last_name: 'E' };
  return keep(await (await send('POST', '/accounts', body, owner.token)).json());
}

function assertClean(where: string, text: string): void {
  assert.ok(text.length > 100, `${where} has content`);
  for (const secret of secrets)
    for (const form of [secret, encodeURIComponent(secret)])
      assert.ok(!text.includes(form), `${where} contains a secret`);
  assert.ok(!text.includes('$argon2'), `${where} contains a hash`);
}
