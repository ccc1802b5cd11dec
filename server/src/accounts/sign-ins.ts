import { randomUUIDv7 } from 'node:crypto';

import { usernamePattern, type SignIn, type SignInAnswer, type SignUp } from '@messenger/protocol/accounts';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import { foldUsername } from '../lib/fold-username.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { AccountReader, Credentials } from './account-reader.ts';
import type { AccountWriter } from './account-writer.ts';
import type { FailedSignIns } from './failed-sign-ins.ts';
import type { Hasher } from './password-hasher.ts';
import { refuseBadPassword } from './password-refusal.ts';
import { toSession } from './session-rows.ts';
import { createToken, hashToken } from './session-token.ts';
import type { Sessions } from './sessions.ts';
import type { SessionWriter } from './session-writer.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

/** Of a client that signs up or in. */
export interface Client {
  readonly address: string;
  /** The key of limits. */
  readonly network: string;
  readonly userAgent: string;
}

/** An answer with the token, which is not stored. */
export type Opened = SignInAnswer & { readonly token: string };

export interface SignInServices {
  readonly reader: AccountReader;
  readonly writer: AccountWriter;
  readonly sessionWriter: SessionWriter;
  readonly sessions: Sessions;
  readonly hasher: Hasher;
  readonly throttle: SignInThrottle;
  readonly failures: FailedSignIns;
  /** Whether anyone may create an account. */
  readonly isRegistrationOpen: boolean;
}

const username = new RegExp(usernamePattern, 'u');

/**
 * Creates accounts and sessions. Rejects with `registration_closed`, `username_taken`, `invalid_request`, `invalid_credentials`,
 * `account_disabled`, `too_many_attempts`, and the refusals of the hasher and the databases.
 */
export class SignIns {
  readonly #services: SignInServices;

  constructor(services: SignInServices) {
    this.#services = services;
  }

  /** `by` is the account that creates it; administrators may do so while registration is closed. */
  async signUp(wanted: SignUp, client: Client, by: SignedIn | undefined, caller: Caller): Promise<Opened> {
    const { isRegistrationOpen, hasher, sessionWriter, throttle } = this.#services;
    if (!isRegistrationOpen && by?.role !== 'admin') throw new AppError('registration_closed');
    refuseBadPassword(wanted.password, wanted.username, 'password');
    hasher.admit();
    if (by === undefined) await throttle.signUp(client.network);
    const id = randomUUIDv7();
    const passwordHash = await hasher.hash(wanted.password, caller.lifetime);
    const token = createToken();
    const { first_name: firstName, last_name: lastName } = wanted;
    const made = await sessionWriter.signUp(
      {
        account: {
          id,
          username: wanted.username,
          passwordHash,
          firstName,
          lastName,
          role: 'member',
          actorId: by?.userId,
          address: client.address,
        },
        session: { userId: id, passwordHash, tokenHash: hashToken(token), ...client },
      },
      caller,
    );
    if (made === undefined) throw new AppError('username_taken');
    return { ...made.member, session: toSession(made.session, made.session.id), token };
  }

  /**
   * A wrong name and a wrong password take the same time, and get the same answer. `current` is the session of the request: the new one takes
   * its place.
   */
  async signIn(
    { username: text, password }: SignIn,
    client: Client,
    current: SignedIn | undefined,
    caller: Caller,
  ): Promise<Opened> {
    const { hasher, sessionWriter, sessions, throttle, failures } = this.#services;
    hasher.admit();
    const name = foldUsername(text);
    const attempt = await throttle.begin(name, client.network);
    const known = await this.#findCredentials(name, caller);
    const { ok, needsRehash } = await hasher.verify(password, known?.passwordHash, caller.lifetime);
    if (known === undefined || !ok) {
      await failures.record(known?.member.user.id, client.address);
      throw new AppError('invalid_credentials');
    }
    await throttle.succeed(attempt);
    const { member, passwordHash } = known;
    if (member.account.disabled) throw new AppError('account_disabled');
    const token = createToken();
    const tokenHash = hashToken(token);
    const call = { userId: member.user.id, passwordHash, tokenHash, replaces: current?.sessionId, ...client };
    const session = await sessionWriter.open(call, caller);
    if (session === undefined) throw new AppError('invalid_credentials'); // The password was changed meanwhile.
    if (current !== undefined) await sessions.revoke(current.userId);
    if (needsRehash) await this.#rehash(known, password, caller);
    return { ...member, session: toSession(session, session.id), token };
  }

  /** Other texts can name no account, and PostgreSQL cannot store all of them. */
  async #findCredentials(name: string, caller: Caller): Promise<Credentials | undefined> {
    return username.test(name) ? await this.#services.reader.credentials({ username: name }, caller) : undefined;
  }

  /** A failure is repaired by the next sign-in. */
  async #rehash({ member, passwordHash: oldHash }: Credentials, password: string, caller: Caller): Promise<void> {
    const { hasher, writer } = this.#services;
    try {
      const newHash = await hasher.hash(password, caller.lifetime);
      await writer.storeHash({ id: member.user.id, oldHash, newHash }, caller);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
}
