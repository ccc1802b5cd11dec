import assert from 'node:assert/strict';

import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { Membership } from '@messenger/protocol/members';
import type { Message } from '@messenger/protocol/messages';

import { outcomeOf, type Client } from './clients.ts';
import type { TestDatabase } from './database.ts';

/** What a client holds of a conversation. */
export interface Followed {
  readonly position: number;
  readonly last_number: number;
  readonly member_count: number;
  readonly conversation: Changes['conversation'];
  /** By number. */
  readonly messages: ReadonlyMap<number, Message>;
  /** By user; former ones, too. */
  readonly members: ReadonlyMap<string, Membership>;
}

export const nothing: Followed = {
  position: 0,
  last_number: 0,
  member_count: 0,
  conversation: null,
  messages: new Map(),
  members: new Map(),
};

/** Applies pages of changes to what a client holds until it holds everything. Each page has changes after the position alone. */
export async function follow(client: Client, id: string, held: Followed, limit: number): Promise<Followed> {
  const answer = await client.call('GET', `/conversations/${id}/changes?after=${held.position}&limit=${limit}`);
  assert.equal(outcomeOf(answer), '200', answer.body);
  const page = answer.json<Changes>();
  const next = apply(held, page);
  return page.complete ? next : await follow(client, id, next, limit);
}

function apply(held: Followed, { from, to, conversation, members, messages, ...page }: Changes): Followed {
  assert.equal(from, held.position);
  assert.ok(page.complete || to > from, 'a page moves the position');
  for (const { seq } of [...members, ...messages]) assert.ok(seq > from && seq <= to, `${seq} of ${from} to ${to}`);
  return {
    position: to,
    last_number: page.last_number,
    member_count: page.member_count,
    conversation: conversation ?? held.conversation,
    messages: new Map([...held.messages, ...messages.map((message) => [message.number, message] as const)]),
    members: new Map([...held.members, ...members.map((member) => [member.user_id, member] as const)]),
  };
}

/** The same from the other lists of the API and, because no list has former members, from their table. */
export async function load(client: Client, id: string, database: TestDatabase): Promise<Followed> {
  await database.replicated();
  const conversation = (await client.call('GET', `/conversations/${id}`)).json<Conversation>();
  const messages: Message[] = [];
  while (messages.length < conversation.last_number) {
    const path = `/conversations/${id}/messages?limit=200&after=${messages.length}`;
    messages.push(...(await client.call('GET', path)).json<Message[]>());
  }
  const { title, about, kind, is_public, created_by, created_at, edit_window_seconds } = conversation;
  return {
    position: conversation.seq,
    last_number: conversation.last_number,
    member_count: conversation.member_count,
    conversation: { id, kind, title, about, is_public, created_by, created_at, edit_window_seconds },
    messages: new Map(messages.map((message) => [message.number, message])),
    members: new Map((await loadMembers(id, database)).map((member) => [member.user_id, member])),
  };
}

async function loadMembers(id: string, database: TestDatabase): Promise<Membership[]> {
  return await database.sql<Membership>(
    `select user_id, role, ${iso('joined_at')}, ${iso('left_at')}, banned_at is not null as banned, changed_seq::int as seq
       from members where conversation_id = $1`,
    [id],
  );
}

const iso = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ') as ${column}`;
