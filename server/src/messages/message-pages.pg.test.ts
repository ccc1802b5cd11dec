/** A page of messages costs the same in a long conversation as in a short one. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { withClient } from '../db/session.ts';
import { roles } from '../embedded/settings.ts';
import { findRanges } from './message-reader.ts';

const database = useDatabase();
const conversation = '019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d';
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

describe('in a conversation of 20,000 messages', () => {
  before(async () => {
    await database().sql(
      `insert into conversations (id, kind, seq, last_number) values ('${conversation}', 'group', 20000, 20000)`,
    );
    await database().sql(
      `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
       select '${conversation}', n, gen_random_uuid(), '${conversation}', 'x', '', n from generate_series(1, 20000) n`,
    );
    await database().sql('vacuum analyze messages');
  });

  for (const [name, values] of [
    ['newest', `'{0}', '{0}', '{50}'`],
    ['first', `'{1}', '{50}', '{0}'`],
    ['middle', `'{10001}', '{10050}', '{0}'`],
  ] as const)
    test(`the ${name} page of 50 reads few buffers, by a plan for any page`, async () => {
      const text = await withClient({ ...database().direct.write, user: roles.superuser }, session, async (client) => {
        await client.query(`prepare page (uuid[], bigint[], bigint[], int[]) as ${findRanges.text}`);
        await client.query('set plan_cache_mode = force_generic_plan');
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `explain (analyze, buffers) execute page('{${conversation}}', ${values})`,
        );
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      });
      assert.match(text, /rows=50\.00/u);
      const [, hit, read = '0'] = /Buffers: shared hit=(\d+)(?: read=(\d+))?/u.exec(text) ?? assert.fail(text);
      assert(Number(hit) + Number(read) < 80, text);
    });

  test('an empty range is an empty page', async () => {
    const [row] = await database().sql<{ count: number }>(
      `with page as (${findRanges.text.replaceAll('$1', `'{${conversation}}'`).replaceAll('$2', `'{1}'`).replaceAll('$3', `'{-1}'`).replaceAll('$4', `'{0}'`)})
       select count(*)::int from page`,
    );
    assert.deepEqual(row, { count: 0 });
  });
});
