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
  readonly #limits: HeartbeatLimits;
  readonly #ask: () => void;
  readonly #onHung: () => void;
  #timer: NodeJS.Timeout | undefined;
  #missed = 0;

  constructor(limits: HeartbeatLimits, ask: () => void, onHung: () => void) {
    this.#limits = limits;
    this.#ask = ask;
    this.#onHung = onHung;
  }

  /** To be called when it can answer: a program that loads on a busy machine does not hang. */
  start(): void {
    this.#timer ??= setInterval(() => this.#beat(), this.#limits.everyMs);
  }

  answered(): void {
    this.#missed = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    if (this.#missed >= this.#limits.mostMissed) {
      this.stop();
      this.#onHung();
      return;
    }
    this.#missed += 1;
    this.#ask();
  }
}
