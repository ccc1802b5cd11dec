import { AppError } from '../lib/app-error.ts';
import { Gate, GateRefusal } from '../lib/gate.ts';
import type { Lifetime } from '../lib/lifetime.ts';
import { dummyHash, hashNormalised, isCurrent, matches, parseHash } from './password-hash.ts';
import { normalisePassword } from './passwords.ts';

export interface HasherOptions {
  /** Maximum of concurrent hashes in this process: each takes a thread and 19 MiB. */
  readonly atOnce: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

/** One hash at a time takes at most one core per worker, and leaves libuv's three other threads to files and names. */
const defaults: HasherOptions = { atOnce: 1, maxWaiting: 32, maxWaitMs: 3_000 };

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
  const { atOnce, maxWaiting, maxWaitMs } = { ...defaults, ...options };
  const gate = new Gate(atOnce, maxWaiting);
  const inTurn = async <T>(run: () => Promise<T>, lifetime: Lifetime | undefined): Promise<T> => {
    await enter(gate, maxWaitMs, lifetime);
    try {
      return await run();
    } finally {
      gate.leave();
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
