import type { Clock } from '../lib/clock.ts';

/** How long a worker uses a session without another lookup. Changes made by other nodes apply after at most this time. */
export const cacheMs = 1_000;

/** Of a worker. */
const maxEntries = 10_000;

interface Entry<Session> {
  readonly session: Session;
  readonly untilMs: number;
}

/** Valid sessions by the hash of their token, each for a second at most, counted from when its lookup began. */
export class SessionCache<Session extends { readonly userId: string }> {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry<Session>>();
  /** Advances with each revocation: a lookup that began before it may have read a session that was still valid. */
  #revocations = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(hash: string): Session | undefined {
    const entry = this.#entries.get(hash);
    return entry !== undefined && this.#clock.now() < entry.untilMs ? entry.session : undefined;
  }

  /** Call it before a lookup; call what it returns with the result, which is kept unless a session was revoked in between. */
  begin(hash: string): (session: Session, leftMs: number) => void {
    const revocations = this.#revocations;
    const beganMs = this.#clock.now();
    return (session, leftMs) => {
      if (revocations !== this.#revocations) return;
      this.#entries.delete(hash);
      this.#entries.set(hash, { session, untilMs: beganMs + Math.min(cacheMs, leftMs) });
      const [oldest] = this.#entries.size > maxEntries ? this.#entries.keys() : [];
      if (oldest !== undefined) this.#entries.delete(oldest);
    };
  }

  /** Drops all sessions of an account. */
  forget(userId: string): void {
    this.#revocations += 1;
    for (const [hash, { session }] of this.#entries) if (session.userId === userId) this.#entries.delete(hash);
  }
}
