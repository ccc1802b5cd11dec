/** The interval of pings, and how many unanswered ones mean that a worker hangs. */
export interface HeartbeatLimits {
  readonly everyMs: number;
  readonly maxMissed: number;
  /** Applies until the worker serves. */
  readonly maxMissedAtStart: number;
}

/**
 * A healthy worker that serves never blocks its event loop for five seconds. Loading its code can, on a machine with
 * ten times its capacity in load: with the lower limit, no server could start there.
 */
export const defaultHeartbeat: HeartbeatLimits = { everyMs: 250, maxMissed: 20, maxMissedAtStart: 120 };

/** Unanswered pings from which on a process is late. */
const lateFrom = 3;

/**
 * Pings a process, and calls `onHung` once when it stops answering. It counts pings, not time: a supervisor that was
 * itself frozen must not kill its workers.
 */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  readonly #limits: HeartbeatLimits;
  #maxMissed: number;
  #missed = 0;

  constructor(limits: HeartbeatLimits, ask: () => void, onHung: () => void) {
    this.#limits = limits;
    this.#maxMissed = limits.maxMissedAtStart;
    this.#timer = setInterval(() => {
      if (this.#missed >= this.#maxMissed) {
        this.stop();
        onHung();
        return;
      }
      this.#missed += 1;
      ask();
    }, limits.everyMs);
  }

  /** Whether the process takes long to answer; it may be busy, or hang. */
  get isLate(): boolean {
    return this.#missed >= lateFrom;
  }

  answered(): void {
    this.#missed = 0;
  }

  /** The start is complete: the shorter limit applies. */
  serves(): void {
    this.#maxMissed = this.#limits.maxMissed;
    this.#missed = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
