import { withDeadline } from '../lib/with-deadline.ts';

/**
 * Sends one request repeatedly to a process. Nothing more is sent while a reply is pending, so a process that does not
 * read cannot fill the channel.
 */
export class Question<Answer> {
  readonly #send: () => void;
  #outstanding: PromiseWithResolvers<Answer> | undefined;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** Undefined if no reply arrives in time. */
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

  /** No reply will arrive any more. */
  end(): void {
    this.#outstanding?.reject(new Error('the process has ended'));
  }
}
