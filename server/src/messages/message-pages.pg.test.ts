/** A page of messages costs the same in a long conversation as in a short one. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { withClient } from '../db/session.ts';
import { roles } from '../embedded/settings.ts';
import { findPages } from './message-reader.ts';

const database = useDatabase();
const conversation = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
/** A member, and a person who is none. */
const member = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
const people = [member, '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4e'];
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

describe('in a conversation of 20,000 messages and 5,000 members', () => {
  before(async () => {
    await database().sql(
      `insert into conversations (id, kind, seq, last_number) values ('${conversation}', 'group', 20000, 20000)`,
    );
    await database().sql(
      `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
       select '${conversation}', n, gen_random_uuid(), '${conversation}', 'x', '', n from generate_series(1, 20000) n`,
    );
    await database().sql(
      `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
       select '${conversation}', md5(n::text)::uuid, 'member', now(), 0 from generate_series(1, 5000) n`,
    );
    await database().sql('vacuum analyze messages, members');
  });

  for (const [name, values] of [
    ['newest', `'{0}', '{0}', '{50}'`],
    ['first', `'{1}', '{50}', '{0}'`],
    ['middle', `'{10001}', '{10050}', '{0}'`],
  ] as const)
    test(`the ${name} page of 50 reads few buffers, by a plan for any page`, async () => {
      const text = await withClient({ ...database().direct.write, user: roles.superuser }, session, async (client) => {
        await client.query(`prepare page (uuid[], bigint[], bigint[], int[], text[]) as ${findPages.text}`);
        await client.query('set plan_cache_mode = force_generic_plan');
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `explain (analyze, buffers) execute page('{${conversation}}', ${values}, array['{${people.join()}}'])`,
        );
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      });
      assert.match(text, /rows=50\.00/u);
      const [, hit, read = '0'] = /Buffers: shared hit=(\d+)(?: read=(\d+))?/u.exec(text) ?? assert.fail(text);
      assert(Number(hit) + Number(read) < 80, text);
    });

  test('an empty range is an empty page, which its members may read', async () => {
    const values = [
      [conversation, conversation],
      [1, 20_001],
      [-1, 20_050],
      [0, 0],
      [`{${people.join()}}`, '{}'],
    ];
    const rows = await database().sql(`select page, number, members from (${findPages.text}) as pages`, values);
    assert.deepEqual(rows, [
      { page: 1, number: null, members: member },
      { page: 2, number: null, members: null },
    ]);
  });
});
