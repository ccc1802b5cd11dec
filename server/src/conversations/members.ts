import { pageLimitDefault } from '@messenger/protocol/limits';
import type {
  AdditionResult,
  Channel,
  ChannelPageQuery,
  MemberWithUser,
  PeoplePageQuery,
} from '@messenger/protocol/members';
import type { MemberRole } from '@messenger/protocol/rights';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidBody, invalidQuery } from '../lib/app-error.ts';
import { decodeTextCursor, encodeTextCursor } from '../lib/text-cursor.ts';
import { beforeAll } from './conversations-sql.ts';
import type { Opened } from './conversations.ts';
import type { ChannelRow, Listed, MemberReader, PeopleCall } from './member-reader.ts';
import type { Entry, MemberWriter } from './member-writer.ts';
import type { RevokeMembership } from './revocations.ts';
import { demand } from './verdicts.ts';

export interface PeoplePage {
  readonly people: MemberWithUser[];
  /** The `after` of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

export interface ChannelPage {
  readonly channels: Channel[];
  readonly next: string | undefined;
}

/**
 * The use cases of members; `me` is the user of the caller. Rejects as `Conversations`, and with `member_not_found`, `user_not_found`,
 * `last_owner` and `conversation_full`.
 */
export class Members {
  readonly #reader: MemberReader;
  readonly #writer: MemberWriter;
  readonly #revoke: RevokeMembership;

  constructor(reader: MemberReader, writer: MemberWriter, revoke: RevokeMembership) {
    this.#reader = reader;
    this.#writer = writer;
    this.#revoke = revoke;
  }

  /** In the order of user ids. */
  async list(id: string, query: PeoplePageQuery, me: string, caller: Caller): Promise<PeoplePage> {
    const call = callOf(id, query, me);
    return pageOf(await this.#reader.members(call, caller), call);
  }

  async listBans(id: string, query: PeoplePageQuery, me: string, caller: Caller): Promise<PeoplePage> {
    const call = callOf(id, query, me);
    return pageOf(await this.#reader.bans(call, caller), call);
  }

  /** Resolves with what became of each person, once for each. */
  async add(id: string, userIds: readonly string[], me: string, caller: Caller): Promise<AdditionResult[]> {
    const { outcome, results } = await this.#writer.add({ id, me, userIds }, caller);
    demand(outcome);
    return results;
  }

  /** To at most the own role, of people below it; owners also of owners. A conversation always has an owner. */
  async setRole(id: string, userId: string, role: MemberRole, me: string, caller: Caller): Promise<MemberWithUser> {
    const { outcome, member } = await this.#writer.setRole({ id, me, userId, role }, caller);
    if (outcome === 'invalid_request') throw invalidBody('role', 'does not exist in this kind of conversation');
    demand(outcome);
    if (member === undefined) throw new AppError('member_not_found');
    return member;
  }

  async remove(id: string, userId: string, me: string, caller: Caller): Promise<void> {
    const isOwn = userId === me;
    demand(await (isOwn ? this.#writer.leave({ id, me }, caller) : this.#writer.remove({ id, me, userId }, caller)));
    await this.#revoke(id, userId);
  }

  /** The last member ends the conversation; the last owner of others cannot leave. */
  async leave(id: string, me: string, caller: Caller): Promise<void> {
    demand(await this.#writer.leave({ id, me }, caller));
    await this.#revoke(id, me);
  }

  /** Removes a person, who then cannot come back. */
  async ban(id: string, userId: string, me: string, caller: Caller): Promise<void> {
    const outcome = await this.#writer.ban({ id, me, userId }, caller);
    if (outcome === 'invalid_request') throw new AppError(outcome, { detail: 'Nobody bans themselves' });
    demand(outcome);
    await this.#revoke(id, userId);
  }

  async unban(id: string, userId: string, me: string, caller: Caller): Promise<void> {
    demand(await this.#writer.unban({ id, me, userId }, caller));
  }

  /** Joins a public channel. A member stays one. */
  async join(id: string, me: string, caller: Caller): Promise<Opened> {
    return openedBy(await this.#writer.join({ id, me }, caller));
  }

  /** Public channels in the order of their titles. */
  async listChannels(search: ChannelPageQuery, me: string, caller: Caller): Promise<ChannelPage> {
    const { limit = pageLimitDefault, query = '' } = search;
    const after = search.after === undefined ? { text: '', id: beforeAll } : decodeTextCursor(search.after);
    if (after === undefined) throw invalidQuery('after', 'is not a cursor of this list');
    const rows = await this.#reader.channels({ me, query, limit, after }, caller);
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return { channels: rows.map(toChannel), next: last && encodeTextCursor({ text: last.search_title, id: last.id }) };
  }
}

function toChannel({ id, kind, title, about, member_count, is_member }: ChannelRow): Channel {
  return { id, kind, title, about, member_count, is_member };
}

/** Throws the refusal of an entry. */
export function openedBy({ outcome, conversation }: Entry): Opened {
  const isNew = outcome !== 'already_member';
  if (isNew) demand(outcome);
  if (conversation === undefined) throw new AppError('conversation_not_found');
  return { conversation, isNew };
}

function callOf(id: string, { limit = pageLimitDefault, after = beforeAll }: PeoplePageQuery, me: string): PeopleCall {
  return { id, me, limit, after };
}

function pageOf({ outcome, rows }: Listed<MemberWithUser>, { limit }: PeopleCall): PeoplePage {
  demand(outcome);
  return { people: rows, next: rows.length === limit ? rows.at(-1)?.user_id : undefined };
}
