/** The tool as a process against servers with wrong answers: each fault is detected and named by kind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { LyingServer, type Lie, type Reply } from './lying-server.ts';
import { runTool, type ToolRun } from './tool.ts';

const honest: Lie = (reply) => reply;

/** Wrong answers to one kind of request. */
function about(what: string, lie: Lie): Lie {
  return (reply, exchange) => (exchange.about === what ? lie(reply, exchange) : reply);
}

function withBody(change: (body: unknown) => unknown): Lie {
  return (reply) => ({ ...reply, body: change(reply.body) });
}

const withField = (field: string): Lie => withBody((body) => ({ ...Object(body), [field]: 'x' }));
const reversed = withBody((body) => (Array.isArray(body) ? body.toReversed() : body));

/** Announces a body, sends a part of it, and disconnects in the given way. */
function leavesMidway(leave: 'destroySoon' | 'resetAndDestroy'): Lie {
  return (_reply, { response }) => {
    const { socket } = response;
    socket?.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id"', () => socket[leave]());
    return undefined;
  };
}

function raw(bytes: string): Lie {
  return (_reply, { response }) => {
    response.socket?.write(bytes);
    return undefined;
  };
}

/** Each lie gets what the one before it returned. */
function together(lies: readonly Lie[]): Lie {
  return (honestReply, exchange) => {
    let reply: Reply | undefined = honestReply;
    for (const lie of lies) if (reply !== undefined) reply = lie(reply, exchange);
    return reply;
  };
}

async function drive(lie: Lie, args: readonly string[], rows?: number): Promise<ToolRun> {
  const server = new LyingServer(lie, rows);
  const baseUrl = await server.listen();
  try {
    return await runTool(['--base-url', baseUrl, '--duration', '1', '--assert', 'failed=0', ...args]);
  } finally {
    await server.close();
  }
}

const writers = ['--type', 'write', '--users', '60'];
const everyone = ['--type', 'stress', '--users', '4'];
const readersOfPages = ['--type', 'pagination', '--users', '60'];

interface Case {
  /** About different requests. */
  readonly lies: readonly Lie[];
  readonly args: readonly string[];
  readonly rows?: number;
  /** `<request>: <kind>` */
  readonly caught: readonly string[];
}

const missing = about('GET user', () => ({ status: 404, body: { code: 'user_not_found' } }));
const refusal = about('PUT user', () => ({ status: 503, headers: { 'retry-after': '1' } }));

const cases: Readonly<Record<string, Case>> = {
  'a read that is older than the newest write': {
    lies: [about('GET user', (reply, { past }) => ({ ...reply, body: past.at(-1) ?? reply.body }))],
    args: writers,
    caught: ['Get User By ID: stale read'],
  },
  'an update that answers with the old names': {
    lies: [about('PUT user', (reply, { past }) => ({ ...reply, body: past.at(-1) ?? reply.body }))],
    args: writers,
    caught: ['Update User: wrong body'],
  },
  'a next page that begins anew': {
    lies: [about('GET list', (reply, { url }) => (url.searchParams.has('after') ? firstPage : remember(reply)))],
    args: readersOfPages,
    rows: 60,
    caught: ['Get Next Page: wrong order'],
  },
  '404 for a user that was created, a list in the wrong order, and a deletion that says 200': {
    lies: [missing, about('GET list', reversed), about('DELETE user', () => ({ status: 200, body: {} }))],
    args: everyone,
    caught: ['Delete User: status 200', 'Get All Users: wrong order', 'Get User By ID: missing user'],
  },
  "another user's name, more rows than the limit, and a refusal": {
    lies: [
      about('GET user', withField('first_name')),
      about('GET list', (_reply, { list }) => ({ status: 200, body: list(101) })),
      refusal,
    ],
    args: everyone,
    rows: 120,
    caught: ['Get All Users: too many rows', 'Get User By ID: wrong body', 'Update User: refused'],
  },
  'a body that is no user, status 500, and a created user that is not the one that was sent': {
    lies: [
      about(
        'GET user',
        withBody(() => 'no user'),
      ),
      about('GET list', () => ({ status: 500 })),
      about('POST list', withField('last_name')),
    ],
    args: everyone,
    caught: ['Create User: wrong body', 'Get All Users: status 500', 'Get User By ID: wrong body'],
  },
  'a reset in the middle of a body, and a body that is cut short': {
    lies: [about('GET user', leavesMidway('resetAndDestroy')), about('GET list', leavesMidway('destroySoon'))],
    args: everyone,
    caught: ['Get All Users: truncated answer', 'Get User By ID: connection reset'],
  },
  'bytes that are not HTTP, a connection that is closed without an answer, and an answer that never comes': {
    lies: [
      about('GET list', raw('+OK POP3 ready\r\n\r\n')),
      about('GET user', (_reply, { response }) => void response.socket?.end()),
      about('PUT user', () => undefined),
    ],
    args: [...everyone, '--deadline', '0.4'],
    caught: ['Get All Users: malformed answer', 'Get User By ID: connection closed', 'Update User: timeout'],
  },
};

let firstPage: Reply | undefined;

function remember(reply: Reply): Reply {
  firstPage ??= reply;
  return reply;
}

function kindsOf({ report }: ToolRun): string[] {
  return report?.errors.map(({ request, kind }) => `${request}: ${kind}`) ?? ['no report'];
}

describe('a wrong answer is detected and named', { concurrency: 3 }, () => {
  for (const [name, { lies, args, rows, caught }] of Object.entries(cases))
    test(name, async () => {
      const run = await drive(together(lies), args, rows);
      assert.deepEqual([...new Set(kindsOf(run))].toSorted(), caught, run.err);
      assert.equal(run.code, 1);
      for (const kind of caught) assert.ok(run.out.includes(kind), run.out);
    });

  for (const args of [everyone, writers, readersOfPages])
    test(`a correct server has no faults (${args[1]})`, async () => {
      const run = await drive(honest, args, 60);
      assert.deepEqual(kindsOf(run), [], run.err);
      assert.ok(run.report !== undefined && run.report.total.ok > 0);
    });

  test('refusals are counted separately in the timeline', async () => {
    const run = await drive(refusal, everyone);
    const refused = run.report?.timeline.reduce((sum, second) => sum + second.refused, 0);
    assert.equal(refused, run.report?.errors[0]?.count);
  });

  test('with --checks guide, a 404 is a success', async () => {
    assert.deepEqual(kindsOf(await drive(missing, [...everyone, '--checks', 'guide'])), []);
  });

  test('with --checks guide, only the status of an answer counts', async () => {
    const lie: Lie = (reply, { about: what }) => {
      if (what === 'GET list') return { status: 200, body: { data: [] } };
      const { body } = reply;
      const id = typeof body === 'object' && body !== null && 'id' in body ? body.id : undefined;
      return id === undefined ? reply : { ...reply, body: { id, created_at: '2026-11-27T10:00:00+01:00' } };
    };
    const run = await drive(lie, [...everyone, '--checks', 'guide']);
    assert.deepEqual(kindsOf(run), [], run.err);
    assert.equal(run.report?.requests.length, 5, 'users go on after the first request');
  });

  test('each request has the newest token of its user, if there is one', async () => {
    let tokens = 0;
    const lie: Lie = (reply, { about: what, request }) => {
      const expected = what === 'POST list' ? undefined : `1/${tokens}`;
      if (request.headers['consistency-token'] !== expected) return { status: 400 };
      if (request.method !== 'GET') tokens++;
      return request.method === 'GET' ? reply : { ...reply, headers: { 'Consistency-Token': `1/${tokens}` } };
    };
    const run = await drive(lie, ['--type', 'smoke']);
    assert.deepEqual(kindsOf(run), []);
    assert.equal(tokens, 3);
  });

  test('two processes divide the users', async () => {
    const run = await drive(honest, [...everyone, '--users', '8', '--processes', '2']);
    assert.deepEqual(kindsOf(run), []);
    assert.equal(run.report?.total.count, 5 * (4 + 1 + 8));
  });
});
