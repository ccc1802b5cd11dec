import { withDeadline } from '../lib/with-deadline.ts';

/**
 * Asks one process the same question again and again. While an answer is outstanding nothing more is sent, so that a process
 * that does not read cannot fill the channel.
 */
export class Question<Answer> {
  readonly #send: () => void;
  #outstanding: PromiseWithResolvers<Answer> | undefined;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** Undefined when no answer comes in time. */
  async ask(timeoutMs: number): Promise<Answer | undefined> {
    if (this.#outstanding === undefined) {
      this.#outstanding = Promise.withResolvers<Answer>();
      this.#outstanding.promise.catch(() => undefined);
      this.#send();
    }
    return await withDeadline(this.#outstanding.promise, timeoutMs).catch(() => undefined);
  }

  answered(answer: Answer): void {
    this.#outstanding?.resolve(answer);
    this.#outstanding = undefined;
  }

  /** There will be no answer any more. */
  end(): void {
    this.#outstanding?.reject(new Error('the process has ended'));
  }
}
