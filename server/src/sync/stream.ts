import { latest, type Position } from '../db/position.ts';
import { encodeStreamPosition } from './stream-position.ts';

/** How far this worker has been told by the feed. What its clients hold is never older than it says. */
export class Stream {
  /** Of the last commit; undefined before the first one. */
  delivered: Position | undefined;
  #timeMs = 0;
  /** Times after which something is missing somewhere, and how often. */
  readonly #holds = new Map<number, number>();
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
    this.#holds.set(timeMs, (this.#holds.get(timeMs) ?? 0) + 1);
    this.#heldMs = Math.min(this.#heldMs, timeMs);
    return () => {
      const left = (this.#holds.get(timeMs) ?? 1) - 1;
      if (left > 0) return void this.#holds.set(timeMs, left);
      this.#holds.delete(timeMs);
      this.#heldMs = Math.min(...this.#holds.keys());
    };
  }

  /** For a frame. `position` of what it has: default, the last commit. Undefined before anything is known. */
  position(position: Position | undefined = this.delivered, atLeastMs = 0): string {
    const known = position ?? { timeline: 0, lsn: 0n };
    return encodeStreamPosition({ position: known, timeMs: Math.max(this.timeMs, atLeastMs) });
  }
}
