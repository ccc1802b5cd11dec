import { hash } from 'node:crypto';

import { AppError } from '../lib/app-error.ts';
import type { Bucket, Throttles } from './throttles.ts';

/** Wrong passwords for one account from one address. */
const perPair: Bucket = { burst: 5, everySeconds: 12 };

/** Wrong passwords and new accounts from one address. */
const perAddress: Bucket = { burst: 30, everySeconds: 2 };

/** Wrong passwords for one account from all addresses. Beyond it, each address has one attempt per minute. */
const perAccount: Bucket = { burst: 60, everySeconds: 1 };
const perPairUnderAttack: Bucket = { burst: 1, everySeconds: 60 };

/** Keys of an attempt whose password is being checked. */
export interface Attempt {
  readonly pair: string;
  readonly address: string;
  readonly account: string | undefined;
}

/**
 * Limits attempts to guess passwords, for all workers and nodes. No limit causes a wait of more than a minute, and an attack from other
 * addresses uses up no attempts: docs/decisions/0057-sign-in-throttle.md. Rejects with `too_many_attempts`.
 */
export class SignInThrottle {
  readonly #throttles: Throttles;

  constructor(throttles: Throttles) {
    this.#throttles = throttles;
  }

  /**
   * Call it before the password is checked, also for names without an account; concurrent attempts count at once. `username` is folded;
   * `address` is the client's network.
   */
  async begin(username: string, address: string): Promise<Attempt> {
    const keys = { pair: keyOf('pair', username, address), address: keyOf('address', address) };
    const account = keyOf('account', username);
    refuse(await this.#throttles.take(keys.pair, perPair));
    refuse(await this.#throttles.take(keys.address, perAddress));
    if ((await this.#throttles.take(account, perAccount)) === undefined) return { ...keys, account };
    refuse(await this.#throttles.take(keyOf('pair under attack', username, address), perPairUnderAttack));
    return { ...keys, account: undefined };
  }

  /** The password was right: the attempt does not count. */
  async succeed({ pair, address, account }: Attempt): Promise<void> {
    await Promise.all([
      this.#throttles.clear(pair),
      this.#throttles.giveBack(address, perAddress),
      account === undefined ? undefined : this.#throttles.giveBack(account, perAccount),
    ]);
  }

  /** For a new account of someone without a session: it costs a hash, and stays. */
  async signUp(address: string): Promise<void> {
    refuse(await this.#throttles.take(keyOf('address', address), perAddress));
  }
}

function refuse(waitSeconds: number | undefined): void {
  if (waitSeconds !== undefined) throw new AppError('too_many_attempts', { retryAfterSeconds: waitSeconds });
}

function keyOf(...parts: readonly string[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url');
}
