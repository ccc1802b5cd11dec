import type { Session } from '@messenger/protocol/accounts';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { cacheMs, SessionCache } from './session-cache.ts';
import type { FoundSession, SessionReader } from './session-reader.ts';
import { toSession } from './session-rows.ts';
import { hashToken } from './session-token.ts';
import type { SessionWriter } from './session-writer.ts';

export interface SessionServices {
  readonly clock: Clock;
  /** Resolves when all other workers of this node have dropped an account's sessions; absent without other workers. */
  readonly forgetElsewhere?: ((userId: string) => Promise<void>) | undefined;
}

/**
 * The sessions of accounts. What ends sessions resolves when no worker of this node uses them any more; other nodes follow within `cacheMs`.
 * Reasons: docs/decisions/0051-sessions.md. Rejects with `session_not_found` and the refusals of the databases.
 */
export class Sessions {
  readonly #reader: SessionReader;
  readonly #writer: SessionWriter;
  readonly #services: SessionServices;
  readonly #cache: SessionCache<SignedIn>;

  constructor(reader: SessionReader, writer: SessionWriter, services: SessionServices) {
    this.#reader = reader;
    this.#writer = writer;
    this.#services = services;
    this.#cache = new SessionCache(services.clock);
  }

  /** The session of a token; undefined when it is unknown, expired, or of a disabled account. Synchronous when it is cached. */
  find(token: string, caller: Caller): SignedIn | Promise<SignedIn | undefined> {
    return this.#cache.find(token) ?? this.#look(token, caller);
  }

  /** As `find`, but never from memory. */
  async verify(token: string, caller: Caller): Promise<SignedIn | undefined> {
    return await this.#look(token, caller);
  }

  async list({ userId, sessionId }: SignedIn, caller: Caller): Promise<Session[]> {
    const rows = await this.#reader.list(userId, caller);
    return rows.map((row) => toSession(row, sessionId));
  }

  async end({ userId }: SignedIn, id: string, address: string, caller: Caller): Promise<void> {
    const isEnded = await this.#writer.end({ userId, id: id.toLowerCase(), address }, caller);
    if (!isEnded) throw new AppError('session_not_found');
    await this.revoke(userId);
  }

  async endOthers({ userId, sessionId: id }: SignedIn, address: string, caller: Caller): Promise<void> {
    await this.#writer.endOthers({ userId, id, address }, caller);
    await this.revoke(userId);
  }

  /**
   * To be called after the commit that ended or changed sessions of an account, before its answer. A worker that does not acknowledge is
   * frozen: after `cacheMs` its cached sessions have expired.
   */
  async revoke(userId: string): Promise<void> {
    this.forget(userId);
    const elsewhere = this.#services.forgetElsewhere?.(userId);
    if (elsewhere !== undefined) await withDeadline(elsewhere, cacheMs).catch(() => undefined);
  }

  /** Drops this worker's cached sessions of an account. */
  forget(userId: string): void {
    this.#cache.forget(userId);
  }

  async #look(token: string, caller: Caller): Promise<SignedIn | undefined> {
    const keep = this.#cache.begin(token);
    const found = await this.#reader.find(hashToken(token), caller);
    if (found === undefined) return undefined;
    const session = { userId: found.user_id, sessionId: found.id, role: found.role };
    keep(session, found.left_ms);
    this.#touch(found);
    return session;
  }

  /** Not awaited; after a failure, the next lookup tries again. */
  #touch({ id, is_touch_due: isDue }: FoundSession): void {
    if (!isDue) return;
    const background: Caller = { lifetime: new LightLifetime(), token: undefined, seen: undefined };
    this.#writer.touch(id, background).catch(() => undefined);
  }
}
