/** Numbered requests to another process, each open until the process acknowledges it or ends. */
export class Acknowledgements {
  readonly #open = new Map<number, () => void>();
  #sent = 0;
  #isOver = false;

  /** `send` gets the number that the acknowledgement carries. Resolves when it arrives, or when none can arrive any more. */
  async request(send: (request: number) => void): Promise<void> {
    if (this.#isOver) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sent += 1;
    this.#open.set(this.#sent, resolve);
    send(this.#sent);
    await promise;
  }

  received(request: number): void {
    this.#open.get(request)?.();
    this.#open.delete(request);
  }

  /** The process has ended, and what it kept in memory with it. */
  end(): void {
    this.#isOver = true;
    for (const resolve of this.#open.values()) resolve();
    this.#open.clear();
  }
}
