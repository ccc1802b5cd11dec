/** Text and numbers that try to break the server or deceive people get a clear answer, and change nothing that they should not. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import type { Message } from '@messenger/protocol/messages';
import { assert as property, asyncProperty, string } from 'fast-check';

import { useApp } from '../../test/app.ts';
import { outcomeOf, send, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';

const database = useDatabase();
const app = useApp(database, { env: { RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' } });
let ada: Client;
let where: string;

const seqOf = async (): Promise<number> => {
  const [row] = await database().sql<{ seq: number }>('select seq::int from conversations where id = $1', [
    where.split('/')[2],
  ]);
  return row?.seq ?? assert.fail();
};

/** As a send, and as an edit of the first message. */
async function outcomes(body: unknown): Promise<string[]> {
  const sent = await ada.outcome('PUT', `${where}/messages/${randomUUID()}`, { body });
  return [sent, await ada.outcome('PATCH', `${where}/messages/1`, { body })];
}

/** Sent, edited to, and read again. */
async function assertStored(body: string): Promise<void> {
  const sent = (await ada.call('PUT', `${where}/messages/${randomUUID()}`, { body })).json<Message>();
  assert.equal(sent.body, body);
  const edited = (await ada.call('PATCH', `${where}/messages/1`, { body })).json<Message>();
  assert.equal(edited.body, body);
  const answer = await ada.call('GET', `${where}/messages/${sent.number}`);
  assert.equal(answer.json<Message>().body, body);
}

const tags = String.fromCodePoint(0xe_00_67);
const refused: Readonly<Record<string, unknown>> = {
  nothing: '',
  'only spaces': ' \n\t ',
  'only zero width': '\u200B\u200B\u200D',
  'only blank Braille': '\u2800',
  NUL: 'a\u0000b',
  'an escape': 'a\u001B[31mb',
  'a half of a surrogate pair': 'a\uD83D',
  'the other half': '\uDC4Da',
  'a right-to-left override': 'see gnp.\u202Eexe',
  'a left-to-right override': 'a\u202Db',
  'an embedding': 'a\u202Bb',
  'too many characters': 'x'.repeat(8_001),
  'too many emoji': '👍'.repeat(8_001),
  'an object': { text: 'x' },
  'a list': ['x'],
  'a number': 1,
  null: null,
};

const accepted: Readonly<Record<string, string>> = {
  'the longest text': 'x'.repeat(8_000),
  '8,000 emoji': '👍'.repeat(8_000),
  'families and flags': `👩‍👩‍👧‍👦 🏴${tags}`,
  isolates: '\u2068שלום\u2069 and \u2067abc\u2069',
  'joiners of scripts': 'नम\u200Dस्ते می\u200Cخواهم',
  'many marks': `e${'\u0301'.repeat(7_999)}`,
  'nested quotes': `${'> '.repeat(3_990)}x`,
  'nested lists': Array.from({ length: 100 }, (_, n) => `${' '.repeat(n)}- x`)
    .join('\n')
    .slice(0, 8_000),
  'nested brackets': `${'['.repeat(4_000)}${']('.repeat(2_000)}`,
  'nested emphasis': '*_'.repeat(4_000),
  backticks: '`'.repeat(8_000),
  'mentions of nobody': '@a'.repeat(4_000),
  HTML: `<script>alert(1)</script><img src=x onerror=alert(1)>`,
  SQL: `'); drop table messages; -- \\ $1 {"a","b"} NULL`,
  'quotes of tsvector': `'a':1A,'b' & !c | (d) \\'`,
  'line breaks of all kinds': 'a\nb\r\nc\td',
};

describe('hostile text', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    where = `/conversations/${await insertConversation(database(), 'group', [[ada, 'owner']])}`;
    await sendMessage(ada, where.slice('/conversations/'.length), 'x');
  });

  for (const [name, body] of Object.entries(refused))
    test(`is refused, and takes no number: ${name}`, async () => {
      const seq = await seqOf();
      assert.deepEqual(await outcomes(body), ['400 invalid_request', '400 invalid_request']);
      assert.equal(await seqOf(), seq);
    });

  for (const [name, body] of Object.entries(accepted))
    test(`is stored as it was written: ${name}`, async () => assertStored(body));

  test('of any kind is stored as it was written, or refused', async () => {
    await property(
      asyncProperty(string({ unit: 'binary', minLength: 1, maxLength: 50 }), async (body) => {
        const answer = await ada.call('PUT', `${where}/messages/${randomUUID()}`, { body });
        assert.match(outcomeOf(answer), /^(?:201|400 invalid_request)$/u);
        if (answer.statusCode === 201) assert.equal(answer.json<Message>().body, body);
      }),
      { numRuns: 100 },
    );
  });

  test('of 1 MiB is refused before it is read', async () => {
    const body = { body: 'x'.repeat(2 ** 20) };
    for (const [method, path] of [
      ['PUT', `${where}/messages/${randomUUID()}`],
      ['PATCH', `${where}/messages/1`],
      ['PUT', `${where}/read`],
    ] as const)
      assert.equal(await ada.outcome(method, path, body), '413 body_too_large', path);
  });

  test('with raw halves of surrogate pairs in JSON is refused', async () => {
    const headers = { authorization: `Bearer ${ada.token}`, 'content-type': 'application/json' };
    for (const body of [String.raw`{"body": "\ud83d"}`, String.raw`{"body": "a\u0000"}`]) {
      const answer = await app().http.inject({
        method: 'POST',
        url: `/api/v1${where}/messages`,
        headers,
        payload: body,
      });
      assert.equal(outcomeOf(answer), '400 invalid_request');
    }
    assert.equal(
      outcomeOf(await send(app(), 'POST', `${where}/messages`, { body: { body: 'x' } })),
      '401 unauthenticated',
    );
  });
});

test('numbers beyond the end, and places that are none, are refused or empty', async () => {
  const paths: readonly (readonly [path: string, outcome: string])[] = [
    ['messages?after=900000000000000', '200'],
    ['messages?before=900000000000000&limit=200', '200'],
    ['messages?around=900000000000000', '200'],
    ['messages?before=0', '200'],
    ['messages?after=-1', '400 invalid_request'],
    ['messages?after=1e9', '400 invalid_request'],
    ['messages?after=99999999999999999999', '400 invalid_request'],
    ['messages?limit=201', '400 invalid_request'],
    ['messages/999999999999999', '404 message_not_found'],
    ['messages/999999999999999/thread?after=1', '404 message_not_found'],
    ['messages/1/thread?after=999999999999999', '200'],
    ['messages/1/revisions?before=0', '200'],
    ['messages/1/reactions?emoji=x', '400 invalid_request'],
    ['messages/1/reactions?after=AAAA', '400 invalid_request'],
    ['pins?before=0', '200'],
    ['pins?before=x', '400 invalid_request'],
    ['changes?after=900000000000000', '409 unknown_position'],
  ];
  for (const [path, outcome] of paths) assert.equal(await ada.outcome('GET', `${where}/${path}`), outcome, path);
  for (const id of ['x', '0', '%00', '..', "'; select", `${randomUUID()}0`])
    assert.match(
      await ada.outcome('GET', `/conversations/${encodeURIComponent(id)}/messages`),
      /^4\d\d (?:invalid_request|not_found|malformed_request)$/u,
      id,
    );
});
