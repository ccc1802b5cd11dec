/** The tool as a process against chat servers that break one promise: each is found and named. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import type { ServerFrame, ServerFrames } from '@messenger/protocol/frames';

import type { ViolationKind } from '../src/chat/violations.ts';
import { LyingChatServer, type ChatLie } from './lying-chat-server.ts';
import { runTool, type ToolRun } from './tool.ts';

const honest: ChatLie = (frame) => [frame];

async function chat(
  lie: ChatLie,
  { page, users = 300 }: { page?: () => readonly unknown[]; users?: number } = {},
): Promise<ToolRun> {
  const server = new LyingChatServer(lie, page);
  const folder = await mkdtemp(join(tmpdir(), 'messenger-chat-'));
  const peopleFile = join(folder, 'people.json');
  const baseUrl = await server.listen();
  await writeFile(peopleFile, server.people(users, baseUrl));
  const size = ['--users', String(users), '--duration', '2', '--deadline', '3', '--assert', 'failed=0'];
  try {
    return await runTool(['--type', 'chat', '--people-file', peopleFile, '--base-url', baseUrl, ...size]);
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function kindsOf({ report }: ToolRun): ViolationKind[] {
  return report?.chat?.violations.map(({ kind }) => kind) ?? [];
}

function about<Op extends keyof ServerFrames>(
  op: Op,
  lie: (frame: ServerFrames[Op], ...rest: [Parameters<ChatLie>[1]]) => readonly unknown[],
): ChatLie {
  const isIt = (frame: ServerFrame): frame is Extract<ServerFrames[Op], ServerFrame> => frame.op === op;
  return (frame, telling) => (isIt(frame) ? lie(frame, telling) : [frame]);
}

const withMessages = (change: (frame: ServerFrames['changes']) => readonly unknown[]): ChatLie =>
  about('changes', (frame) => (frame.messages.length === 0 ? [frame] : change(frame)));

const withEach = (change: (message: ServerFrames['changes']['messages'][number]) => object): ChatLie =>
  withMessages((frame) => [{ ...frame, messages: frame.messages.map((one) => ({ ...one, ...change(one) })) }]);

/** Each gets what the one before it tells. */
function together(...lies: readonly ChatLie[]): ChatLie {
  return (frame, telling) =>
    lies.reduce<readonly unknown[]>(
      (told, lie) => told.flatMap((one) => lie(one as ServerFrame, telling)), // oxlint-disable-line typescript/no-unsafe-type-assertion -- No lie changes the op.
      [frame],
    );
}

const withHeads = (change: (head: ServerFrames['welcome']['heads'][number]) => object): ChatLie =>
  about('welcome', (frame) => [{ ...frame, heads: frame.heads.map((head) => ({ ...head, ...change(head) })) }]);

const withNumber = (change: (number: number) => number): ChatLie =>
  about('done', (frame) => [frame.number === undefined ? frame : { ...frame, number: change(frame.number) }]);

const problem = { type: 'about:blank', title: '', status: 403, code: 'not_permitted', request_id: 'r' };

/** What the server does, and the violations that the report must have; it may have more, which follow from them. */
const lies: Readonly<Record<string, readonly [ChatLie, ...ViolationKind[]]>> = {
  'acknowledges messages and tells nobody': [
    (frame) => (frame.op === 'head' || (frame.op === 'changes' && frame.messages.length > 0) ? [] : [frame]),
    'undelivered message',
  ],
  'leaves the last messages out of the history, and lists a conversation too few': [
    together(
      withMessages((frame) => [
        { ...frame, messages: [], last_number: (frame.messages[0]?.number ?? 1) - 1, complete: true },
      ]),
      about('welcome', (frame) => [{ ...frame, heads: frame.heads.slice(1) }]),
    ),
    'lost message',
    'missing conversation',
  ],
  'sends frames twice, and shows older lists': [
    together(
      withMessages((frame) => [frame, frame]),
      about('head', (frame) => [frame, { ...frame, seq: frame.seq - 1, last_number: frame.last_number - 1 }]),
    ),
    'gap in changes',
    'state shown twice',
    'step back',
  ],
  'leaves messages out, and forgets what was read': [
    together(
      withMessages((frame) => [{ ...frame, messages: [] }]),
      withHeads(({ me, last_number: last }) => ({ me: { ...me, read_number: 0, unread: last } })),
    ),
    'hole in numbers',
    'wrong unread',
  ],
  'changes the text of messages, and counts unread ones wrongly': [
    together(
      withEach(() => ({ body: 'x' })),
      withHeads(({ me }) => ({ me: { ...me, unread: me.unread + 1 } })),
    ),
    'wrong message',
    'wrong unread',
  ],
  'acknowledges with the number of another message': [withNumber((number) => number + 1), 'message stored twice'],
  'acknowledges all messages with one number': [withNumber(() => 1), 'different order'],
  'stores what it refuses, and numbers messages differently for some': [
    together(
      about('done', (frame) => [frame.number === undefined ? frame : { op: 'refused', ref: frame.ref, problem }]),
      (frame, telling) =>
        telling.person % 2 === 0 ? [frame] : withEach(({ number }) => ({ number: number + 1 }))(frame, telling),
    ),
    'unknown message',
    'message stored twice',
  ],
  'invents messages': [withEach(() => ({ id: crypto.randomUUID() })), 'unknown message'],
};

describe('a chat server that', { concurrency: 3 }, () => {
  for (const [name, [lie, ...kinds]] of Object.entries(lies))
    test(`${name}: ${kinds.join(', ')}`, async () => {
      const run = await chat(lie);
      const found = kindsOf(run);
      for (const kind of kinds) {
        assert(found.includes(kind), `${kind} is not among ${found.join(', ')}\n${run.err}${run.out}`);
        assert(run.out.includes(kind) && run.written.includes(kind));
      }
      assert.equal(run.report?.verdict, 'failed');
      assert.equal(run.code, 1);
    });

  test('does not show a message to its sender: stale read', async () => {
    const run = await chat(honest, { page: () => [] });
    assert.deepEqual(kindsOf(run), ['stale read'], run.err + run.out);
    assert.equal(run.code, 1);
  });

  test('keeps all promises: no violation, and all times are measured', async () => {
    const run = await chat(honest);
    assert.deepEqual(kindsOf(run), [], run.err + run.out);
    assert.match(run.out, /> no violation/u);
    assert.deepEqual(run.report?.errors, []);
    const { requests, chat: facts } = run.report;
    for (const name of ['Send', 'Open', 'Delivery', 'List Update']) {
      const request = requests.find((one) => one.name === name);
      assert(request !== undefined && request.ok > 0, `${name}: ${request?.ok}`);
    }
    const sent = requests.filter(({ name }) => name === 'Send' || name === 'Repeat Send');
    assert.equal(
      sent.reduce((sum, { ok }) => sum + ok, 0),
      facts?.messages,
    );
  });

  test('closes sockets: people come back, and nothing is lost', async () => {
    const run = await chat((frame, { end, socket }) => {
      if (frame.op === 'done' && socket === 0) end(4000);
      return [frame];
    });
    assert.deepEqual(kindsOf(run), [], run.err + run.out);
    assert.deepEqual(run.report?.errors, []);
    assert.deepEqual(
      run.report.chat?.socketEnds.map(({ code }) => code),
      [4000],
    );
  });

  test('sends no frames of the contract: malformed frame', async () => {
    const run = await chat(about('head', (frame) => [{ ...frame, seq: 'x' }]));
    assert(
      run.report?.errors.some(({ kind }) => kind === 'malformed frame'),
      run.out,
    );
    assert.equal(run.code, 1);
  });
});
