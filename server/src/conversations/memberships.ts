import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { Membership, MembershipReader } from './membership-reader.ts';

/** Who may read a conversation. A removed member may read for as long as the standbys lag, unless the client sends a token. */
export class Memberships {
  readonly #reader: MembershipReader;

  constructor(reader: MembershipReader) {
    this.#reader = reader;
  }

  /** Rejects with `conversation_not_found` for everybody who is no member now. */
  async get(conversationId: string, userId: string, caller: Caller): Promise<Membership> {
    const membership = await this.#reader.find({ conversationId, userId }, caller);
    if (membership === undefined) throw new AppError('conversation_not_found');
    return membership;
  }
}
