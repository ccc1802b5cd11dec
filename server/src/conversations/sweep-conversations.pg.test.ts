import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';

import { useApp } from '../../test/app.ts';
import { signUp } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import { sweepSize } from '../db/sweeper.ts';
import { sweepConversations } from './sweep-conversations.ts';

const database = useDatabase();
const app = useApp(database);

/** The rows of each table of conversations, by table; `own` counts those of one conversation. Erasures only have their progress there. */
async function countRows(id: string): Promise<Record<string, { readonly all: number; readonly own: number }>> {
  const tables = await database().sql<{ name: string }>(
    `select table_name as name from information_schema.columns
      where table_schema = 'public' and column_name = 'conversation_id' and table_name not in ('direct_conversations', 'erasures')
     union all select 'conversations' order by 1`,
  );
  const counts: Record<string, { all: number; own: number }> = {};
  for (const { name } of tables) {
    const key = name === 'conversations' ? 'id' : 'conversation_id';
    const [row] = await database().sql<{ all: number; own: number }>(
      `select count(*)::int as all, (count(*) filter (where ${key} = $1))::int as own from ${name}`,
      [id],
    );
    if (row !== undefined) counts[name] = row;
  }
  return counts;
}

const fillers = [
  `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
   select $1, n, gen_random_uuid(), $1, 'x', '', n from generate_series(1, 2500) as n`,
  `insert into message_revisions (conversation_id, number, revision, body, written_at) values ($1, 1, 1, 'x', now())`,
  `insert into reactions (conversation_id, number, emoji, user_id) values ($1, 1, 'x', $1)`,
  `insert into mentions (conversation_id, user_id, number, sender_id) values ($1, $1, 1, $1)`,
  `insert into invites (code, conversation_id, role, created_by) values ($1::text, $1, 'member', $1)`,
];

test('all rows of a deleted conversation are removed in steps, and no other rows', async () => {
  const ada = await signUp(app(), 'ada');
  const create = async (): Promise<string> =>
    (await ada.call('POST', '/conversations', { kind: 'group', title: 'T' })).json<Conversation>().id;
  const [kept, deleted] = [await create(), await create()];
  for (const id of [kept, deleted])
    for (const filler of fillers) await database().sql(filler.replaceAll('$1', `'${id}'::uuid`));
  const before = await countRows(deleted);
  for (const [table, { own }] of Object.entries(before)) assert.ok(own > 0, `${table} has a row to be removed`);
  await ada.call('DELETE', `/conversations/${deleted}`);
  const { writePool } = app().databases;
  const sizes: number[] = [];
  while (sizes.at(-1) !== 0) sizes.push(await writePool.transaction(sweepConversations));
  assert.deepEqual(sizes, [1, 1, 1, sweepSize, sweepSize, 500, 1, 1, 1, 0]);
  const expected = Object.entries(before).map(([table, { all, own }]) => [table, { all: all - own, own: 0 }]);
  assert.deepEqual(await countRows(deleted), Object.fromEntries(expected));
});
