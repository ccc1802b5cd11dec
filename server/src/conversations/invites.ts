import type { Invite, InviteCreation, InvitePreview } from '@messenger/protocol/invites';
import { randomBytes } from 'node:crypto';

import type { Caller } from '../db/caller.ts';
import { AppError, invalidBody } from '../lib/app-error.ts';
import type { Opened } from './conversations.ts';
import type { InviteReader } from './invite-reader.ts';
import type { InviteWriter } from './invite-writer.ts';
import { openedBy } from './members.ts';
import { demand } from './verdicts.ts';

/** 128 random bits: codes are not guessed. */
const codeBytes = 16;

/**
 * The use cases of invites; `me` is the user of the caller. Rejects as `Members`, and with `too_many_invites` and `invite_not_found`, which is
 * the same for an invite that is unknown, expired, used up or revoked, and for people who are banned.
 */
export class Invites {
  readonly #reader: InviteReader;
  readonly #writer: InviteWriter;

  constructor(reader: InviteReader, writer: InviteWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async create(id: string, wanted: InviteCreation, me: string, caller: Caller): Promise<Invite> {
    const code = randomBytes(codeBytes).toString('base64url');
    const { outcome, invite } = await this.#writer.create({ id, me, code, wanted }, caller);
    if (outcome === 'invalid_request') throw invalidBody('role', 'does not exist in this kind of conversation');
    demand(outcome);
    if (invite === undefined) throw new Error('an insert returned no row');
    return invite;
  }

  /** Newest first; also invites that are no longer valid, until the next one is created. */
  async list(id: string, me: string, caller: Caller): Promise<Invite[]> {
    const { outcome, rows } = await this.#reader.list({ id, me }, caller);
    demand(outcome);
    return rows;
  }

  async revoke(id: string, code: string, me: string, caller: Caller): Promise<void> {
    demand(await this.#writer.revoke({ id, me, code }, caller));
  }

  async preview(code: string, me: string, caller: Caller): Promise<InvitePreview> {
    const preview = await this.#reader.preview({ code, me }, caller);
    if (preview === undefined) throw new AppError('invite_not_found');
    return preview;
  }

  /** Joins the conversation. A member stays one, and uses nothing of the invite. */
  async accept(code: string, me: string, caller: Caller): Promise<Opened> {
    return openedBy(await this.#writer.accept({ code, me }, caller));
  }
}
