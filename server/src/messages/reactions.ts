import { pageLimitDefault } from '@messenger/protocol/limits';
import type { GivenReaction, ReactionPageQuery } from '@messenger/protocol/reactions';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import { isEmoji } from '../lib/emoji.ts';
import { encodeParts, isUuid, readParts } from '../lib/page-cursor.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { MessageReader } from './message-reader.ts';
import { getMessage, type Memberships, type MessageTarget } from './message-target.ts';
import type { MessageWriter } from './message-writer.ts';
import type { ReactionOutcome } from './reaction-changes.ts';
import type { ReactionPlace, ReactionReader } from './reaction-reader.ts';

export interface ReactionServices {
  readonly reader: ReactionReader;
  readonly messages: MessageReader;
  readonly writer: MessageWriter;
  readonly memberships: Memberships;
}

export interface ReactionPage {
  readonly reactions: GivenReaction[];
  /** Cursor of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/**
 * The use cases of reactions. Rejects with `AppError`: `conversation_not_found`, `message_not_found`, `not_permitted`,
 * `recipient_unavailable`, `recipient_blocked`, `too_many_reactions`, and those of the databases.
 */
export class Reactions {
  readonly #services: ReactionServices;

  constructor(services: ReactionServices) {
    this.#services = services;
  }

  /** A repeated call changes nothing. */
  async add(target: MessageTarget, emoji: string, { userId }: SignedIn, caller: Caller): Promise<void> {
    demand(await this.#services.writer.react({ ...target, emoji, userId }, caller));
  }

  /** Of an own reaction. A repeated call changes nothing. */
  async remove(target: MessageTarget, emoji: string, { userId }: SignedIn, caller: Caller): Promise<void> {
    demand(await this.#services.writer.unreact({ ...target, emoji, userId }, caller));
  }

  /** Who has reacted, in the order of emoji and of people. */
  async list(target: MessageTarget, query: ReactionPageQuery, by: SignedIn, caller: Caller): Promise<ReactionPage> {
    const { reader } = this.#services;
    const { limit = pageLimitDefault, emoji = '' } = query;
    const after = placeOf(query.after);
    await getMessage(this.#services, target, by, caller);
    const reactions = await reader.page({ ...target, emoji, limit, after }, caller);
    const last = reactions.length === limit ? reactions.at(-1) : undefined;
    return { reactions, next: last && encodeParts([last.emoji, last.user_id]) };
  }
}

function demand(outcome: ReactionOutcome): void {
  if (outcome !== 'done' && outcome !== 'unchanged') throw new AppError(outcome);
}

const beginning: ReactionPlace = { emoji: '', userId: '00000000-0000-0000-0000-000000000000' };

function placeOf(after: string | undefined): ReactionPlace {
  if (after === undefined) return beginning;
  const [emoji = '', userId = ''] = readParts(after, [isEmoji, isUuid]);
  return { emoji, userId };
}
