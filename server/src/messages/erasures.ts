import type { Queryable } from '../db/statement.ts';
import {
  endMembership,
  eraseRange,
  finishConversation,
  finishErasure,
  lockForErasure,
  mentioningTexts,
  nextErasure,
  type Erasure,
  type MentioningText,
} from './erasure-statements.ts';
import { renameMentions } from './mention-names.ts';
import { searchVectorOf } from './search-words.ts';

/** Messages of a conversation per step: so long does a step hold the lock of the conversation. */
const stepSize = 1_000;

/** In place of the username in texts of others. */
const otherName = 'deleted';

/**
 * Takes one step of the oldest erasure; resolves with 0 when there is none. All progress is in the step's transaction: after a crash the next
 * step continues. The changes of each conversation are made under its lock, and take its `seq`.
 */
export async function eraseTraces(tx: Queryable): Promise<number> {
  const [erasure] = await tx.query(nextErasure, []);
  if (erasure === undefined) return 0;
  const { user_id: userId, next_conversation: conversationId } = erasure;
  if (conversationId === null) await tx.query(finishErasure, [userId]);
  else await eraseIn(tx, conversationId, erasure);
  return 1;
}

async function eraseIn(tx: Queryable, conversationId: string, erasure: Erasure): Promise<void> {
  const { user_id: userId, done_number: after } = erasure;
  const [conversation] = await tx.query(lockForErasure, [conversationId]);
  if (conversation !== undefined) {
    if (after === 0) await tx.query(endMembership, [conversationId, userId]);
    const to = after + stepSize;
    await eraseMessages(tx, [conversationId, userId, after, to], erasure);
    if (to < conversation.last_number) return;
  }
  await tx.query(finishConversation, [userId, conversationId]);
}

async function eraseMessages(
  tx: Queryable,
  range: [conversationId: string, userId: string, after: number, to: number],
  { username, erases_messages: erases }: Erasure,
): Promise<void> {
  const found = await tx.query(mentioningTexts, [...range, erases]);
  const renamed = found
    .map((one) => ({ ...one, renamed: renameMentions(one.body, username, otherName) }))
    .filter((one) => one.renamed !== one.body);
  const texts = renamed.filter(({ revision }) => revision === null);
  const revisions = renamed.filter((one): one is Renamed & { revision: number } => one.revision !== null);
  await tx.query(eraseRange, [
    ...range,
    erases,
    texts.map(({ number }) => number),
    texts.map((one) => one.renamed),
    texts.map((one) => searchVectorOf(range[0], one.renamed)),
    revisions.map(({ number }) => number),
    revisions.map(({ revision }) => revision),
    revisions.map((one) => one.renamed),
  ]);
}

interface Renamed extends MentioningText {
  readonly renamed: string;
}
