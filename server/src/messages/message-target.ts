import type { Message } from '@messenger/protocol/messages';
import type { ConversationKind, MemberRole } from '@messenger/protocol/rights';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MessageReader } from './message-reader.ts';

/** What the caller may do in a conversation, and where it is. */
interface Membership {
  readonly kind: ConversationKind;
  readonly role: MemberRole;
  readonly last_number: number;
  readonly member_count: number;
}

/** Who may read a conversation. */
export interface Memberships {
  /** Rejects with `conversation_not_found` for everybody who is no member now. */
  get(conversationId: string, userId: string, caller: Caller): Promise<Membership>;
}

/** A message, by its number. */
export interface MessageTarget {
  readonly conversationId: string;
  readonly number: number;
}

interface Services {
  readonly messages: MessageReader;
  readonly memberships: Memberships;
}

/**
 * A message, also a deleted one, for members of its conversation. Both reads take one round trip. Rejects with `conversation_not_found` for
 * everybody else, whether the message exists or not, and with `message_not_found`.
 */
export async function getMessage(
  { messages, memberships }: Services,
  { conversationId, number }: MessageTarget,
  { userId }: SignedIn,
  caller: Caller,
): Promise<{ readonly message: Message; readonly membership: Membership }> {
  const [membership, message] = await Promise.all([
    memberships.get(conversationId, userId, caller),
    messages.find({ conversationId, number }, caller),
  ]);
  if (message === undefined) throw new AppError('message_not_found');
  return { message, membership };
}
