/** How often a worker is asked, and after how many questions without an answer it counts as hung. */
export interface HeartbeatLimits {
  readonly everyMs: number;
  readonly mostMissed: number;
}

/** Nothing that a healthy worker does holds its event loop for five seconds. */
export const defaultHeartbeat: HeartbeatLimits = { everyMs: 1_000, mostMissed: 5 };

/**
 * Asks something again and again whether it still reacts, and calls `onHung` once when it does not. Questions are counted,
 * not time: a supervisor that was itself frozen must not take its workers for hung.
 */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  #missed = 0;

  constructor({ everyMs, mostMissed }: HeartbeatLimits, ask: () => void, onHung: () => void) {
    this.#timer = setInterval(() => {
      if (this.#missed >= mostMissed) {
        this.stop();
        onHung();
        return;
      }
      this.#missed += 1;
      ask();
    }, everyMs);
  }

  answered(): void {
    this.#missed = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
