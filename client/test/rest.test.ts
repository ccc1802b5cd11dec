import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { ApiError } from '../src/api-error.ts';
import { Rest } from '../src/rest.ts';
import { positionOf } from './model-conversation.ts';

let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
const server = createServer((request, response) => answer(request, response));
let url = '';

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

async function refusalOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ApiError ? error : assert.fail('the call was refused');
}

test('a call sends session, parameters and body, and is answered with the body of the answer', async () => {
  const seen: unknown[] = [];
  answer = (request, response) => {
    const parts: Buffer[] = [];
    request
      .on('data', (part: Buffer) => parts.push(part))
      .on('end', () => {
        seen.push([request.method, request.url, request.headers.authorization, Buffer.concat(parts).toString()]);
        response.writeHead(201, { 'content-type': 'application/json' }).end('{"number":1}');
      });
  };
  const rest = new Rest({ url, token: 'abc' });
  const path = { conversation_id: 'a/b', message: 'id' };
  assert.deepEqual(await rest.call('put_message', { path, body: { body: 'Hello' } }), { number: 1 });
  await rest.call('list_messages', { path: { conversation_id: 'c' }, query: { limit: 2, before: undefined } });
  assert.deepEqual(seen, [
    ['PUT', '/api/v1/conversations/a%2Fb/messages/id', 'Bearer abc', '{"body":"Hello"}'],
    ['GET', '/api/v1/conversations/c/messages?limit=2', 'Bearer abc', ''],
  ]);
});

test('each call sends the newest token of all answers before it, in whatever order they came', async () => {
  const sent: unknown[] = [];
  const tokens = [positionOf(1, 300), positionOf(1, 255), positionOf(2, 5)];
  answer = (request, response) => {
    sent.push(request.headers['consistency-token']);
    response.setHeader('consistency-token', tokens[sent.length - 1] ?? '').end('[]');
  };
  const rest = new Rest({ url });
  for (let i = 0; i < 4; i += 1) await rest.call('list_channels');
  // The last one is of another timeline: after a failover, it cannot be compared.
  assert.deepEqual(sent, [undefined, tokens[0], tokens[0], tokens[2]]);
});

test('pages follow the links of the server', async () => {
  answer = ({ url: path = '' }, response) => {
    const place = Number(new URL(path, url).searchParams.get('after') ?? 0);
    if (place < 2) response.setHeader('link', `</api/v1/channels?query=a+b&after=${place + 1}>; rel="next"`);
    response.end(JSON.stringify([{ title: path }]));
  };
  const titles: string[] = [];
  for await (const page of new Rest({ url }).pages('list_channels', { query: { query: 'a b' } }))
    titles.push(...page.map(({ title }) => title));
  const path = '/api/v1/channels?query=a+b';
  assert.deepEqual(titles, [path, `${path}&after=1`, `${path}&after=2`]);
});

test('a refusal has the code, the status and the delay that the server wants', async () => {
  const problem = { type: 'urn:x', title: 'Slowly', status: 429, code: 'too_many_requests', request_id: 'r1' };
  answer = (_, response) => response.writeHead(429, { 'retry-after': '3' }).end(JSON.stringify(problem));
  const error = await refusalOf(new Rest({ url }).call('read_me'));
  assert.deepEqual(
    [error.code, error.status, error.retryAfterMs, error.isTransient],
    ['too_many_requests', 429, 3_000, true],
  );
  assert.deepEqual(error.problem, problem);
});

test('a call without an answer is an error that says so', async () => {
  answer = () => undefined;
  const slow = new Rest({ url, timeoutMs: 50 });
  assert.equal((await refusalOf(slow.call('read_me'))).code, 'timed_out');
  const aborted = new Rest({ url }).call('read_me', { signal: AbortSignal.abort() });
  assert.equal((await refusalOf(aborted)).code, 'stopped');
  const nobody = new Rest({ url: 'http://127.0.0.1:1' });
  const error = await refusalOf(nobody.call('read_me'));
  assert.deepEqual([error.code, error.isTransient], ['connection_failed', true]);
  answer = (_, response) => response.writeHead(502).end('<html>');
  assert.equal((await refusalOf(new Rest({ url }).call('read_me'))).code, 'invalid_answer');
});
