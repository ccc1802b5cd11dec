/** How often a worker is asked, and after how many questions without an answer it counts as hung. */
export interface HeartbeatLimits {
  readonly everyMs: number;
  readonly mostMissed: number;
  /** The same until the worker serves. */
  readonly mostMissedAtStart: number;
}

/**
 * Nothing that a healthy worker does holds its event loop for five seconds, once it serves. Loading its code does, on a
 * machine with ten times the work it can do: no server could be started there.
 */
export const defaultHeartbeat: HeartbeatLimits = { everyMs: 1_000, mostMissed: 5, mostMissedAtStart: 30 };

/**
 * Asks something again and again whether it still reacts, and calls `onHung` once when it does not. Questions are counted,
 * not time: a supervisor that was itself frozen must not take its workers for hung.
 */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  readonly #limits: HeartbeatLimits;
  #mostMissed: number;
  #missed = 0;

  constructor(limits: HeartbeatLimits, ask: () => void, onHung: () => void) {
    this.#limits = limits;
    this.#mostMissed = limits.mostMissedAtStart;
    this.#timer = setInterval(() => {
      if (this.#missed >= this.#mostMissed) {
        this.stop();
        onHung();
        return;
      }
      this.#missed += 1;
      ask();
    }, limits.everyMs);
  }

  answered(): void {
    this.#missed = 0;
  }

  /** It has started: from now on it has less time for an answer. */
  serves(): void {
    this.#mostMissed = this.#limits.mostMissed;
    this.#missed = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
