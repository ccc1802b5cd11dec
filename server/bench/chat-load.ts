/** What the load of `--only messages` finds in the databases, and the requests that it sends. Both derive ids from numbers. */
import { createHash } from 'node:crypto';

import { request, type Question } from './calls.ts';

export const chatCallNames = ['send', 'sendToOne', 'messages', 'users'] as const;
export type ChatCall = (typeof chatCallNames)[number];

/** Groups of five; person p is in every group whose number is p to p + 4 modulo the number of people. */
export const conversations = 1_000;
const people = 50;
const membersEach = 5;

/** The texts that are sent: 80 characters, as in chats, with words that differ. */
const words = 'lunch at noon with the new team then the long review of what we ship on monday morning'.split(' ');

/** Of the session of a person, from 1. */
export function tokenOf(person: number): string {
  return `bench-${String(person).padStart(37, '0')}`;
}

export interface ChatSizes {
  readonly people: number;
  readonly conversations: number;
  readonly membersEach: number;
  /** Messages in each group before the first measurement. */
  readonly messagesEach: number;
}

/** Statements that fill a new database. Group g has person 1 + g % people, and those after that one. */
export function chatOf(sizes: ChatSizes): readonly string[] {
  return [
    `insert into users (id, first_name, last_name, has_account)
   select md5('person ' || p)::uuid, 'Person', p::text, true from generate_series(1, ${sizes.people}) p`,
    `insert into accounts (user_id, username, password_hash, search_name, search_last_name)
   select md5('person ' || p)::uuid, 'person' || p, '', 'person ' || p, p::text from generate_series(1, ${sizes.people}) p`,
    `insert into sessions (user_id, token_hash, expires_at, user_agent, address)
   select md5('person ' || p)::uuid, sha256(convert_to('bench-' || lpad(p::text, 37, '0'), 'UTF8')), now() + interval '1 day', '', ''
     from generate_series(1, ${sizes.people}) p`,
    `insert into conversations (id, kind, title, member_count, seq, last_number)
   select md5('group ' || c)::uuid, 'group', 'Group ' || c, ${sizes.membersEach}, ${sizes.messagesEach}, ${sizes.messagesEach}
     from generate_series(1, ${sizes.conversations}) c`,
    `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
   select md5('group ' || c)::uuid, md5('person ' || 1 + (c + m) % ${sizes.people})::uuid, 'member', date_bin('1 hour', now(), 'epoch'), 0
     from generate_series(1, ${sizes.conversations}) c, generate_series(0, ${sizes.membersEach - 1}) m`,
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq, search)
   select md5('group ' || c)::uuid, n, gen_random_uuid(), md5('person ' || 1 + (c + n) % ${sizes.people})::uuid,
          '${words.join(' ')}', ''::bytea, n, null
     from generate_series(1, ${sizes.conversations}) c, generate_series(1, ${sizes.messagesEach}) n`,
    'vacuum analyze users, accounts, sessions, conversations, members, messages',
    'checkpoint',
  ];
}

export const settleChat = chatOf({ people, conversations, membersEach, messagesEach: 100 });

/** Few repetitions, and fast to create. */
const most = 20_000;

function question(call: ChatCall, index: number): Question {
  const spread = 1 + Math.floor(Math.random() * conversations);
  const group = call === 'send' ? spread : 1;
  const token = tokenOf(1 + ((group + (index % membersEach)) % people));
  const path = `/conversations/${idOf(`group ${group}`)}/messages`;
  switch (call) {
    case 'send':
    case 'sendToOne':
      return { status: 201, text: request('POST', path, JSON.stringify({ body: textOf(index) }), token) };
    case 'messages':
      return { status: 200, text: request('GET', `${path}?limit=50`, '', token) };
    case 'users':
      return { status: 200, text: request('GET', '/users?limit=50', '', token) };
  }
}

function textOf(index: number): string {
  const start = index % words.length;
  return [...words.slice(start), ...words.slice(0, start), String(index)].join(' ');
}

/** Requests of one kind, in rotation, created in advance. */
export function chatQuestions(call: ChatCall): () => Question {
  const made = Array.from({ length: most }, (_, index) => question(call, index));
  let next = 0;
  return () => made[next++ % most] ?? question(call, next);
}

/** Of `person 1`, `group 1` and so on. */
export function idOf(name: string): string {
  return createHash('md5')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/u, '$1-$2-$3-$4-');
}

/** One transaction of sixteen prepared inserts in one packet: the least that stores sixteen messages durably, with all indexes. */
export const floorScript = [
  '\\startpipeline',
  'begin;',
  ...Array.from({ length: 16 }, (_, n) => [
    `\\set c${n} random(1, ${conversations})`,
    `\\set n${n} random(1000, 1000000000000)`,
    `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq, search)
  values (md5('group ' || :c${n})::uuid, :n${n}, gen_random_uuid(), md5('person 1')::uuid, '${words.join(' ')} ' || :n${n}, sha256('x'), :n${n},
  ('${[...new Set(words)].map((word) => `''${word}''`).join(' ')} ''#' || md5('group ' || :c${n}) || '''')::tsvector);`,
  ]).flat(),
  'commit;',
  '\\endpipeline',
].join('\n');
export const floorRows = 16;
