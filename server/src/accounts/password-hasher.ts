import { AppError } from '../lib/app-error.ts';
import { monotonicClock } from '../lib/clock.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import { TimeBudget } from '../lib/time-budget.ts';
import { dummyHash, hashNormalised, isCurrent, matches, parseHash } from './password-hash.ts';
import { normalisePassword } from './passwords.ts';

export interface HasherOptions {
  /** Maximum of concurrent hashes in this process: each takes a thread and 19 MiB. */
  readonly atOnce: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
  /** The fraction of the time that is for hashing, from 0 to 1, and how much may be hashed at once without pauses. */
  readonly share: number;
  readonly burstMs: number;
}

/**
 * One hash at a time leaves libuv's three other threads to files and names. 120 sign-ins in a row are served without pauses; an attack gets a tenth
 * of a core per worker, 4 hashes per second. Figures: docs/decisions/0055-passwords.md.
 */
const defaults: HasherOptions = { atOnce: 1, maxWaiting: 32, maxWaitMs: 3_000, share: 0.1, burstMs: 3_000 };

/** A hash that takes longer has waited for a core: the time that counts, so that pauses stay short. */
const longestHashMs = 40;

interface Verified {
  readonly ok: boolean;
  /** The password is right, and its hash has old parameters: store a new one. */
  readonly needsRehash: boolean;
}

/** Hashes and checks passwords, a few at a time. Rejects with `overloaded` when too many wait, and with the lifetime's reason. */
export interface Hasher {
  /** Throws `overloaded` when a hash would be refused now. Call it before other work, so that an attack costs little. */
  admit(): void;
  hash(password: string, lifetime?: Lifetime): Promise<string>;
  /** Without a stored hash, takes the same time and is not ok. */
  verify(password: string, stored: string | undefined, lifetime?: Lifetime): Promise<Verified>;
}

export function createHasher(options: Partial<HasherOptions> = {}): Hasher {
  const { atOnce, maxWaiting, maxWaitMs, share, burstMs } = { ...defaults, ...options };
  const budget = new TimeBudget(share, burstMs, monotonicClock);
  const gate = new Gate(atOnce, maxWaiting);
  const inTurn = async <T>(run: () => Promise<T>, lifetime: Lifetime | undefined): Promise<T> => {
    await enter(gate, maxWaitMs, lifetime);
    const beganMs = monotonicClock.now();
    try {
      return await run();
    } finally {
      const pauseMs = budget.spend(Math.min(longestHashMs, monotonicClock.now() - beganMs));
      if (pauseMs === 0) gate.leave();
      else setTimeout(() => gate.leave(), pauseMs);
    }
  };
  return {
    admit: () => {
      if (gate.isFull && gate.waiting >= maxWaiting) throw new AppError('overloaded');
    },
    hash: (password, lifetime) => inTurn(() => hashNormalised(normalisePassword(password)), lifetime),
    verify: async (password, stored, lifetime) => {
      const parsed = stored === undefined ? dummyHash() : parseHash(stored);
      const isMatch = await inTurn(() => matches(normalisePassword(password), parsed), lifetime);
      const ok = isMatch && stored !== undefined;
      return { ok, needsRehash: ok && !isCurrent(parsed) };
    },
  };
}

async function enter(gate: Gate, maxWaitMs: number, lifetime: Lifetime | undefined): Promise<void> {
  try {
    await gate.enter(maxWaitMs, lifetime);
  } catch (error) {
    if (error instanceof GateRefusal) throw new AppError('overloaded', { cause: error });
    throw error;
  }
}
