/** Messages that were sent: edits, deletion, pins, threads. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import type { Message, Revision } from '@messenger/protocol/messages';

import { useApp } from '../../test/app.ts';
import { outcomeOf, signUp, type Client } from '../../test/clients.ts';
import { insertConversation, sendMessage } from '../../test/conversations.ts';
import { useDatabase } from '../../test/database.ts';

const database = useDatabase();
const app = useApp(database, { env: { DB_BATCHING: 'on', RATE_LIMIT_WRITES: '0' } });
let ada: Client;
let bob: Client;
let eve: Client;

const group = async (): Promise<string> =>
  insertConversation(database(), 'group', [
    [ada, 'owner'],
    [bob, 'member'],
  ]);

async function read<T>(client: Client, path: string): Promise<T> {
  await database().replicated();
  const answer = await client.call('GET', path);
  assert.equal(outcomeOf(answer), '200', answer.body);
  return answer.json<T>();
}

interface Head {
  readonly seq: number;
  readonly last_preview: string | null;
}

async function head(id: string): Promise<Head> {
  const [row] = await database().sql<Head>('select seq::int, last_preview from conversations where id = $1', [id]);
  return row ?? assert.fail();
}

const count = async (table: string, where: string): Promise<number> => {
  const [row] = await database().sql<{ n: number }>(
    `select count(*)::int as n from ${table} where conversation_id = $1`,
    [where],
  );
  return row?.n ?? assert.fail();
};

describe('a message that was sent', () => {
  before(async () => {
    ada = await signUp(app(), 'ada');
    bob = await signUp(app(), 'bob');
    eve = await signUp(app(), 'eve');
  });

  describe('edited', () => {
    test('keeps the old body as a revision, with one change', async () => {
      const where = await group();
      const sent = await sendMessage(bob, where, 'first');
      const path = `/conversations/${where}/messages/1`;
      const answer = await bob.call('PATCH', path, { body: 'second @ada' });
      assert.equal(outcomeOf(answer), '200', answer.body);
      const edited = answer.json<Message>();
      assert.deepEqual(
        [edited.body, edited.seq, edited.mentions, edited.id, edited.edited_at === undefined],
        ['second @ada', 2, [ada.userId], sent.id, false],
      );
      assert.deepEqual(await read(ada, path), edited);
      assert.deepEqual(await head(where), { seq: 2, last_preview: 'second @ada' });
      assert.deepEqual(await read(bob, `${path}/revisions`), [
        { revision: 0, body: 'first', written_at: sent.created_at },
      ]);
      assert.equal(await count('mentions', where), 1);
      await bob.call('PATCH', path, { body: 'third' });
      const revisions = await read<Revision[]>(ada, `${path}/revisions`);
      assert.deepEqual(
        revisions.map(({ revision, body }) => [revision, body]),
        [
          [1, 'second @ada'],
          [0, 'first'],
        ],
      );
      assert.equal(revisions[0]?.written_at, edited.edited_at);
      assert.equal(await count('mentions', where), 0);
      assert.deepEqual(await read(ada, `${path}/revisions?before=1`), revisions.slice(1));
    });

    test('mentions whom its new body names, and nobody else', async () => {
      const everybody = '00000000-0000-0000-0000-000000000000';
      const people = [
        [ada, 'owner'],
        [bob, 'member'],
        [eve, 'member'],
      ] as const;
      const [where, beside] = [
        await insertConversation(database(), 'group', people),
        await insertConversation(database(), 'group', people),
      ];
      const noted = async (id: string): Promise<string[]> => {
        const rows = await database().sql<{ line: string }>(
          `select number || ' ' || case user_id when $2 then 'all' else username end as line
             from mentions left join accounts using (user_id) where conversation_id = $1 order by 1`,
          [id, everybody],
        );
        return rows.map(({ line }) => line);
      };
      for (const id of [where, beside]) for (const body of ['@ada @eve', '@ada @all']) await sendMessage(bob, id, body);
      const edit = async (number: number, body: string): Promise<Message> =>
        (await bob.call('PATCH', `/conversations/${where}/messages/${number}`, { body })).json<Message>();
      const edited = await Promise.all([edit(1, '@eve @bob stays'), edit(2, '@ada stays')]);
      assert.deepEqual(
        edited.map(({ mentions, mentions_all }) => [mentions, mentions_all]),
        [
          [[bob.userId, eve.userId].toSorted(), undefined],
          [[ada.userId], undefined],
        ],
      );
      assert.deepEqual(await noted(where), ['1 eve', '2 ada']);
      assert.deepEqual(await noted(beside), ['1 ada', '1 eve', '2 ada', '2 all']);
      await edit(1, '@all');
      assert.deepEqual(await noted(where), ['1 all', '2 ada']);
      await database().sql('insert into blocks (user_id, blocked_id) values ($1, $2)', [eve.userId, bob.userId]);
      assert.deepEqual((await edit(2, '@eve')).mentions, [eve.userId]);
      assert.deepEqual(await noted(where), ['1 all']);
      await database().sql('delete from blocks where user_id = $1', [eve.userId]);
    });

    test('to the same body changes nothing', async () => {
      const where = await group();
      const sent = await sendMessage(bob, where, 'same');
      const answer = await bob.call('PATCH', `/conversations/${where}/messages/1`, { body: 'same' });
      assert.deepEqual([outcomeOf(answer), answer.json<Message>()], ['200', sent]);
      assert.equal((await head(where)).seq, 1);
    });

    test('several times at once has each state as a revision', async () => {
      const where = await group();
      await sendMessage(bob, where, '0');
      const path = `/conversations/${where}/messages/1`;
      const edits = await Promise.all(
        Array.from({ length: 10 }, async (_, n) =>
          (await bob.call('PATCH', path, { body: String(n + 1) })).json<Message>(),
        ),
      );
      assert.deepEqual(
        edits.map(({ seq }) => seq).toSorted((a, b) => a - b),
        [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      );
      const last = edits.find(({ seq }) => seq === 11);
      const revisions = await read<Revision[]>(bob, `${path}/revisions`);
      assert.deepEqual([last?.body ?? '', ...revisions.map(({ body }) => body)].toSorted(), [
        '0',
        '1',
        '10',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
        '8',
        '9',
      ]);
    });

    test('is refused for all but its sender, after the window, and once deleted', async () => {
      const where = await group();
      await sendMessage(bob, where, 'x');
      const path = `/conversations/${where}/messages/1`;
      assert.equal(await ada.outcome('PATCH', path, { body: 'y' }), '403 not_permitted');
      assert.equal(await eve.outcome('PATCH', path, { body: 'y' }), '404 conversation_not_found');
      assert.equal(await bob.outcome('PATCH', `${path}0`, { body: 'y' }), '404 message_not_found');
      assert.equal(await bob.outcome('PATCH', path, {}), '400 invalid_request');
      await database().sql('update conversations set edit_window_seconds = 60 where id = $1', [where]);
      assert.equal(await bob.outcome('PATCH', path, { body: 'y' }), '200');
      await database().sql(`update messages set created_at = now() - interval '61 s' where conversation_id = $1`, [
        where,
      ]);
      assert.equal(await bob.outcome('PATCH', path, { body: 'y' }), '200', 'a repeat');
      assert.equal(await bob.outcome('PATCH', path, { body: 'z' }), '403 edit_window_over');
      assert.equal(await bob.outcome('DELETE', path), '204');
      assert.equal(await bob.outcome('PATCH', path, { body: 'z' }), '404 message_not_found');
    });

    test('does not reach a person who blocks its sender', async () => {
      const where = await insertConversation(database(), 'direct', [
        [ada, 'member'],
        [bob, 'member'],
      ]);
      await sendMessage(ada, where, 'x');
      await database().sql('insert into blocks (user_id, blocked_id) values ($1, $2)', [bob.userId, ada.userId]);
      const path = `/conversations/${where}/messages/1`;
      assert.equal(await ada.outcome('PATCH', path, { body: 'y' }), '403 recipient_unavailable');
      assert.equal(
        await ada.outcome('PUT', `${path}/reactions/${encodeURIComponent('👍')}`),
        '403 recipient_unavailable',
      );
      assert.equal(await ada.outcome('DELETE', path), '204');
      await database().sql('delete from blocks where user_id = $1', [bob.userId]);
    });
  });

  describe('deleted', () => {
    test('loses its body, revisions, reactions, mentions, pin and words, and keeps its number', async () => {
      const where = await group();
      const sent = await sendMessage(bob, where, 'secret @ada @all');
      const path = `/conversations/${where}/messages/1`;
      await bob.call('PATCH', path, { body: 'secret words @ada' });
      await bob.call('PUT', `${path}/reactions/${encodeURIComponent('👍')}`);
      assert.equal(await ada.outcome('PUT', `${path}/pin`), '204');
      assert.equal(await ada.outcome('DELETE', path), '204');
      const left = await read<Message>(bob, path);
      const { conversation_id, number, id, sender_id, created_at } = sent;
      const rest = { conversation_id, number, id, seq: 5, sender_id, created_at };
      assert.deepEqual(left, { ...rest, edited_at: left.edited_at, deleted_at: left.deleted_at ?? assert.fail() });
      assert.deepEqual(await read(bob, `${path}/revisions`), []);
      for (const table of ['message_revisions', 'reactions', 'mentions'])
        assert.equal(await count(table, where), 0, table);
      const rows = await database().sql('select body, search from messages where conversation_id = $1', [where]);
      assert.deepEqual(rows, [{ body: '', search: null }]);
      assert.deepEqual(await head(where), { seq: 5, last_preview: null });
      assert.equal(await ada.outcome('DELETE', path), '204');
      assert.equal((await head(where)).seq, 5, 'a repeat changes nothing');
    });

    test('other than the last one leaves the preview of the conversation', async () => {
      const where = await group();
      await sendMessage(bob, where, 'one');
      await sendMessage(bob, where, 'two');
      assert.equal(await bob.outcome('DELETE', `/conversations/${where}/messages/1`), '204');
      assert.deepEqual(await head(where), { seq: 3, last_preview: 'two' });
      const answer = await bob.call('PUT', `/conversations/${where}/messages/${randomUUID()}`, {
        body: 'x',
        thread_of: 1,
      });
      assert.equal(outcomeOf(answer), '404 message_not_found');
    });

    test('needs the right for those of others', async () => {
      const where = await group();
      await sendMessage(ada, where, 'x');
      const path = `/conversations/${where}/messages/1`;
      assert.equal(await bob.outcome('DELETE', path), '403 not_permitted');
      assert.equal(await bob.outcome('GET', `${path}/revisions`), '403 not_permitted');
      assert.equal(await eve.outcome('DELETE', path), '404 conversation_not_found');
      assert.equal(await bob.outcome('DELETE', `/conversations/${where}/messages/2`), '404 message_not_found');
    });
  });

  test('is pinned and unpinned for all, by those with the right', async () => {
    const where = await group();
    for (const body of ['1', '2', '3']) await sendMessage(bob, where, body);
    const path = `/conversations/${where}`;
    assert.equal(await bob.outcome('PUT', `${path}/messages/1/pin`), '403 not_permitted');
    for (const number of [3, 1, 3]) assert.equal(await ada.outcome('PUT', `${path}/messages/${number}/pin`), '204');
    const pins = await read<Message[]>(bob, `${path}/pins`);
    assert.deepEqual(
      pins.map(({ number, pinned_by, seq }) => [number, pinned_by, seq]),
      [
        [3, ada.userId, 4],
        [1, ada.userId, 5],
      ],
    );
    const first = await bob.call('GET', `${path}/pins?limit=1`);
    assert.equal(first.headers.link, `</api/v1${path}/pins?limit=1&before=3>; rel="next"`);
    assert.deepEqual(await read(bob, `${path}/pins?before=3`), pins.slice(1));
    for (const number of [3, 3]) assert.equal(await ada.outcome('DELETE', `${path}/messages/${number}/pin`), '204');
    assert.equal((await read<Message[]>(bob, `${path}/pins`)).length, 1);
    assert.equal((await head(where)).seq, 6);
    assert.equal(await ada.outcome('PUT', `${path}/messages/9/pin`), '404 message_not_found');
    assert.equal(await eve.outcome('GET', `${path}/pins`), '404 conversation_not_found');
  });

  test('with replies has a thread, in which a deleted reply still counts', async () => {
    const where = await group();
    await sendMessage(ada, where, 'root');
    for (const body of ['a', 'b', 'c', 'd']) await sendMessage(bob, where, { body, thread_of: 1 });
    await sendMessage(bob, where, 'aside');
    const thread = `/conversations/${where}/messages/1/thread`;
    const numbers = async (query: string): Promise<number[]> =>
      (await read<Message[]>(ada, thread + query)).map(({ number }) => number);
    assert.deepEqual(await numbers(''), [2, 3, 4, 5]);
    assert.deepEqual(await numbers('?limit=2'), [4, 5]);
    assert.deepEqual(await numbers('?limit=2&before=4'), [2, 3]);
    assert.deepEqual(await numbers('?limit=2&after=2'), [3, 4]);
    assert.equal(await bob.outcome('DELETE', `/conversations/${where}/messages/5`), '204');
    assert.deepEqual(await numbers(''), [2, 3, 4, 5]);
    const root = await read<Message>(ada, `/conversations/${where}/messages/1`);
    assert.deepEqual(root.thread, { count: 4, last_number: 5 });
    assert.equal(await ada.outcome('GET', `${thread}?before=1&after=2`), '400 invalid_request');
    assert.equal(await ada.outcome('GET', `/conversations/${where}/messages/9/thread`), '404 message_not_found');
    assert.equal(await eve.outcome('GET', thread), '404 conversation_not_found');
  });

  test('is changed without a change of any other message', async () => {
    const [where, beside] = [await group(), await group()];
    const like = encodeURIComponent('👍');
    for (const id of [where, beside])
      for (const number of [1, 2]) {
        await sendMessage(bob, id, '@ada @all 0');
        const path = `/conversations/${id}/messages/${number}`;
        await bob.call('PATCH', path, { body: '@ada @all 1' });
        await bob.call('PUT', `${path}/reactions/${like}`);
        await ada.call('PUT', `${path}/pin`);
      }
    for (const id of [where, beside]) assert.equal(await count('reactions', id), 2);
    const others = async (): Promise<unknown> => {
      const rows = ['messages', 'message_revisions', 'reactions', 'mentions'].map(async (table) =>
        database().sql(`select * from ${table} t where (conversation_id, number) <> ($1, 1) order by t::text`, [where]),
      );
      const heads = 'select * from conversations where id <> $1 order by id';
      return [await Promise.all(rows), await database().sql(heads, [where])];
    };
    const untouched = await others();
    const path = `/conversations/${where}/messages/1`;
    const calls: readonly (readonly [by: Client, ...Parameters<Client['call']>])[] = [
      [bob, 'PATCH', path, { body: 'nobody' }],
      [bob, 'PUT', `${path}/reactions/${encodeURIComponent('🎉')}`],
      [bob, 'DELETE', `${path}/reactions/${like}`],
      [ada, 'DELETE', `${path}/pin`],
      [ada, 'PUT', `${path}/pin`],
      [ada, 'DELETE', path],
    ];
    for (const [by, ...call] of calls) {
      assert.match(await by.outcome(...call), /^20[04]$/u, call[1]);
      assert.deepEqual(await others(), untouched, `${call[0]} ${call[1]}`);
    }
  });

  test('is named by a number that exists', async () => {
    const where = await group();
    await sendMessage(ada, where, 'x');
    for (const [number, outcome] of [
      ['1', '200'],
      ['2', '404 message_not_found'],
      ['999999999999999', '404 message_not_found'],
      ['0', '400 invalid_request'],
      ['-1', '400 invalid_request'],
      ['1.5', '400 invalid_request'],
      ['1e3', '400 invalid_request'],
      ['99999999999999999999', '400 invalid_request'],
      [randomUUID(), '400 invalid_request'],
      ['x', '400 invalid_request'],
    ] as const)
      assert.equal(await ada.outcome('GET', `/conversations/${where}/messages/${number}`), outcome, number);
    assert.equal(await eve.outcome('GET', `/conversations/${where}/messages/1`), '404 conversation_not_found');
    assert.equal(await ada.outcome('GET', `/conversations/${randomUUID()}/messages/1`), '404 conversation_not_found');
  });
});
