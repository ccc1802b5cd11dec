import type { Changes, ChangesQuery } from '@messenger/protocol/changes';
import { messagesLimitMax } from '@messenger/protocol/limits';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { ChangesReader } from './changes-reader.ts';

/** Lets a client follow a conversation from a position that it holds. */
export class ChangeLog {
  readonly #reader: ChangesReader;

  constructor(reader: ChangesReader) {
    this.#reader = reader;
  }

  /**
   * The states of what has changed after a position. Rejects with `conversation_not_found` for everybody but members, and with
   * `unknown_position` for a position that the conversation has not reached: the client must load it again.
   */
  async read(conversationId: string, query: ChangesQuery, { userId }: SignedIn, caller: Caller): Promise<Changes> {
    const { after, limit = messagesLimitMax } = query;
    const outcome = await this.#reader.changes({ conversationId, userId, after, limit }, caller);
    if (typeof outcome === 'string') throw new AppError(outcome);
    return outcome;
  }

  /** The same for all who follow the conversation, whose rights the caller knows. */
  async readForAll(conversationId: string, after: number, caller: Caller): Promise<Changes> {
    const outcome = await this.#reader.changesForAll({ conversationId, after, limit: messagesLimitMax }, caller);
    if (typeof outcome === 'string') throw new AppError(outcome);
    return outcome;
  }
}
