import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { Message } from '@messenger/protocol/messages';
import type { ConversationKind, MemberRole } from '@messenger/protocol/rights';
import { Value } from 'typebox/value';

import { outcomeOf, type Client } from './clients.ts';
import type { TestDatabase } from './database.ts';

/** Inserts a conversation with its members; without changes. Resolves with its id. */
export async function insertConversation(
  database: TestDatabase,
  kind: ConversationKind,
  people: readonly (readonly [Pick<Client, 'userId'>, MemberRole])[],
): Promise<string> {
  const [row] = await database.sql<{ id: string }>(
    'insert into conversations (kind, member_count) values ($1, $2) returning id',
    [kind, people.length],
  );
  const id = row?.id ?? assert.fail();
  await database.sql(
    `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
     select $1, user_id, role, case when $4 = 'channel' then 'infinity' else date_bin('1 hour', now(), 'epoch') end, 0
       from unnest($2::uuid[], $3::text[]) as p (user_id, role)`,
    [id, people.map(([{ userId }]) => userId), people.map(([, role]) => role), kind],
  );
  return id;
}

/** Sends a message; resolves when it is stored. */
export async function sendMessage(client: Client, conversation: string, body: string | object): Promise<Message> {
  const answer = await client.call(
    'PUT',
    `/conversations/${conversation}/messages/${randomUUID()}`,
    typeof body === 'string' ? { body } : body,
  );
  assert.equal(outcomeOf(answer), '201', answer.body);
  return Value.Parse(Message, answer.json());
}
