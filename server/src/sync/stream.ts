import { latest, type Position } from '../db/position.ts';
import { encodeStreamPosition } from './stream-position.ts';

/** How far this worker has been told by the feed. What its clients hold is never older than it says. */
export class Stream {
  /** Of the last commit; undefined before the first one. */
  delivered: Position | undefined;
  #timeMs = 0;
  /** Clients that are caught up with what happened after these times. */
  readonly #holds = new Set<{ readonly timeMs: number }>();
  #heldMs = Number.POSITIVE_INFINITY;

  /** Milliseconds since 1970, by the clock of the primary: everything before it was handed on. */
  get timeMs(): number {
    return Math.min(this.#timeMs, this.#heldMs);
  }

  advance(position: Position, committedAtMs: number): void {
    this.delivered = position;
    this.#timeMs = Math.max(this.#timeMs, committedAtMs);
  }

  /** After a gap: reads must cover it. */
  resume(position: Position): void {
    this.delivered = latest(this.delivered, position);
  }

  /** Until the result is called, positions say this time or an earlier one. */
  hold(timeMs: number): () => void {
    const hold = { timeMs };
    this.#holds.add(hold);
    this.#heldMs = Math.min(this.#heldMs, timeMs);
    return () => {
      if (!this.#holds.delete(hold) || timeMs > this.#heldMs) return;
      this.#heldMs = Math.min(...[...this.#holds].map((one) => one.timeMs));
    };
  }

  /** For a frame. `position` of what it has: default, the last commit. Undefined before anything is known. */
  position(position: Position | undefined = this.delivered, atLeastMs = 0): string {
    const known = position ?? { timeline: 0, lsn: 0n };
    return encodeStreamPosition({ position: known, timeMs: Math.max(this.timeMs, atLeastMs) });
  }
}
