import { ApiError, noAnswer } from './api-error.ts';
import type { ClientFrame, ServerFrames } from './api.ts';
import type { Clock } from './clock.ts';

type WithoutRef<Frame> = Frame extends { readonly ref: string } ? Omit<Frame, 'ref'> : never;

/** A frame that the server answers. */
export type CallFrame = WithoutRef<ClientFrame>;
export type Done = ServerFrames['done'];

interface Pending {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: ApiError) => void;
  readonly timer: unknown;
}

interface CallsOptions {
  readonly clock: Clock;
  /** Whether the frame was handed to the socket. */
  readonly send: (frame: ClientFrame) => boolean;
}

/** A server answers each call within 10 s. */
const answerWithinMs = 15_000;

/** Calls over the socket, each with its answer. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #pending = new Map<string, Pending>();
  #last = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Rejects with the refusal, with `connection_lost`, or with `timed_out`. In the last two cases, the call may have happened. */
  async make(call: CallFrame): Promise<Done> {
    const { clock, send } = this.#options;
    this.#last += 1;
    const ref = String(this.#last);
    return await new Promise((resolve, reject) => {
      const fail = (): void => this.#take(ref)?.reject(noAnswer('timed_out', 'The server did not answer in time'));
      this.#pending.set(ref, { resolve, reject, timer: clock.setTimeout(fail, answerWithinMs) });
      if (!send({ ...call, ref })) this.#take(ref)?.reject(lost());
    });
  }

  done(frame: Done): void {
    this.#take(frame.ref)?.resolve(frame);
  }

  refused({ ref, problem }: ServerFrames['refused']): void {
    this.#take(ref)?.reject(new ApiError(problem));
  }

  /** The socket is gone: no answer comes. */
  failAll(): void {
    for (const ref of this.#pending.keys()) this.#take(ref)?.reject(lost());
  }

  #take(ref: string): Pending | undefined {
    const pending = this.#pending.get(ref);
    if (pending === undefined) return undefined;
    this.#pending.delete(ref);
    this.#options.clock.clearTimeout(pending.timer);
    return pending;
  }
}

function lost(): ApiError {
  return noAnswer('connection_lost', 'There is no connection to the server');
}
