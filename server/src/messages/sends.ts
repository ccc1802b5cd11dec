import type { Message } from '@messenger/protocol/messages';
import { hash } from 'node:crypto';

import { deferred } from '../db/batch.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import type { Queryable } from '../db/statement.ts';
import { mentionNamesOf } from './mention-names.ts';
import { toMessage } from './message-rows.ts';
import { byPlace } from './placed-rows.ts';
import { searchVectorOf } from './search-words.ts';
import { sendFull, sendPlain, type SendRefusal, type SendRow } from './send-statements.ts';

export interface Send {
  readonly conversationId: string;
  readonly senderId: string;
  /** The message's id. */
  readonly id: string;
  readonly body: string;
  readonly replyTo: number | undefined;
  readonly threadOf: number | undefined;
}

/** `isRepeat`: it was stored by an earlier send. */
export interface Sent {
  readonly message: Message;
  readonly isRepeat: boolean;
}

function hashOf({ body, replyTo = 0, threadOf = 0 }: Send): string {
  return hash('sha256', JSON.stringify([body, replyTo, threadOf]), 'hex');
}

type Outcome = Sent | SendRefusal | typeof deferred;

/** Sends that only the full statement executes. */
const again = new WeakSet<Send>();

/** The first parameters of both statements. */
function columnsOf(calls: readonly Send[]) {
  return [
    calls.map(({ conversationId }) => conversationId),
    calls.map(({ senderId }) => senderId),
    calls.map(({ id }) => id),
    calls.map(({ body }) => body),
    calls.map(hashOf),
    calls.map(({ replyTo = 0 }) => replyTo),
  ] as const;
}

async function sendPlainly(db: Queryable, calls: readonly Send[]): Promise<Outcome[]> {
  const rows = await db.query(sendPlain, [
    ...columnsOf(calls),
    calls.map(({ conversationId, body }) => searchVectorOf(conversationId, body)),
  ]);
  const placed = byPlace(rows, calls.length);
  return calls.map((call, index) => {
    const row = placed[index];
    if (row?.outcome === 'sent') return { message: newMessage(row, call), isRepeat: false };
    if (row !== undefined && row.outcome !== 'again') return row.outcome;
    again.add(call);
    return deferred;
  });
}

async function sendFully(db: Queryable, calls: readonly Send[]): Promise<Outcome[]> {
  const mentions = calls.map(({ body }) => mentionNamesOf(body));
  const rows = await db.query(sendFull, [
    ...columnsOf(calls),
    calls.map(({ threadOf = 0 }) => threadOf),
    mentions.map(({ names }) => names.join(' ')),
    mentions.map(({ all }) => all),
    calls.map(({ conversationId, body }) => searchVectorOf(conversationId, body)),
  ]);
  const placed = byPlace(rows, calls.length);
  return calls.map((call, index) => {
    const row = placed[index];
    if (row?.outcome === 'sent') return { message: newMessage(row, call), isRepeat: false };
    return row?.outcome === 'repeated' ? { message: toMessage(row), isRepeat: true } : (row?.outcome ?? deferred);
  });
}

function isPlain(call: Send): boolean {
  return call.threadOf === undefined && !call.body.includes('@') && !again.has(call);
}

type NewRow = Pick<SendRow, 'new_number' | 'new_seq' | 'sent_at'> &
  Partial<Pick<SendRow, 'mentioned' | 'mentioned_all'>>;

function newMessage(row: NewRow, { conversationId, senderId, id, body, replyTo, threadOf }: Send): Message {
  return toMessage({
    conversation_id: conversationId,
    number: row.new_number,
    id,
    seq: row.new_seq,
    sender_id: senderId,
    body,
    reply_to: replyTo ?? null,
    thread_of: threadOf ?? null,
    thread_count: null,
    thread_last: null,
    mentions: row.mentioned ?? null,
    mentions_all: row.mentioned_all ?? null,
    reactions: null,
    pinned_at: null,
    pinned_by: null,
    created_at: row.sent_at,
    edited_at: null,
    deleted_at: null,
  });
}

/** Of several sends with one id in a batch, the first is executed; then the others are its repeats. */
async function sendAll(db: Queryable, calls: readonly Send[]): Promise<Outcome[]> {
  const firsts = new Map(calls.toReversed().map((call) => [keyOf(call), call]));
  // In the order of the calls: numbers are given in it.
  const sent = calls.filter((call) => firsts.get(keyOf(call)) === call);
  const results = new Map<Send, Outcome>();
  const run = async (execute: typeof sendFully, mine: readonly Send[]): Promise<void> => {
    if (mine.length === 0) return;
    const outcomes = await execute(db, mine);
    for (const [index, call] of mine.entries()) results.set(call, outcomes[index] ?? deferred);
  };
  // All of a conversation in one statement, or the later one would give its messages the higher numbers.
  const full = new Set(sent.filter((call) => !isPlain(call)).map(({ conversationId }) => conversationId));
  await Promise.all([
    run(
      sendPlainly,
      sent.filter(({ conversationId }) => !full.has(conversationId)),
    ),
    run(
      sendFully,
      sent.filter(({ conversationId }) => full.has(conversationId)),
    ),
  ]);
  return calls.map((call) => results.get(call) ?? deferred);
}

/** Under the lock of the conversation. */
export const send: BatchableWrite<Send, Sent | SendRefusal> = {
  name: 'messages.send',
  keyOf: ({ conversationId }) => conversationId,
  one: async () => {
    throw new Error('a send is executed by `many`, behind its lock');
  },
  many: sendAll,
};

function keyOf({ conversationId, id }: Send): string {
  return conversationId + id;
}
