import type { ClientFrame, ServerFrame } from '@messenger/protocol/frames';
import { setTimeout as sleep } from 'node:timers/promises';

import { RawSocket } from './raw-socket.ts';

/** A frame without its reference. */
type Call<Frame = ClientFrame> = Frame extends { readonly ref: string } ? Omit<Frame, 'ref'> : never;
type Answer = Extract<ServerFrame, { readonly op: 'done' | 'refused' }>;

interface Unanswered {
  readonly frame: ClientFrame;
  readonly resolve: (answer: Answer) => void;
}

/** Statuses of refusals that a repetition may change: overloaded, too slow. */
const passing = new Set([503, 504]);

export interface ClientOptions {
  readonly port: number;
  readonly token: string;
  readonly onFrame?: (frame: ServerFrame) => void;
  /** The connection was lost. */
  readonly onLost?: () => void;
  /** A further `welcome` is complete. */
  readonly onBack?: () => void;
}

/** After a lost or refused connection, or a refused call, at random. */
const comeBackMs = 1_000;

/** Connects again with `since` for as long as it is not closed. Repeats what was not answered, or refused only for now. */
export class RealtimeClient {
  /** Connections that failed before `welcome`, and calls that the server could not serve then; they were repeated. */
  failures = 0;
  readonly #options: ClientOptions;
  readonly #unanswered = new Map<string, Unanswered>();
  #socket: RawSocket | undefined;
  #position: string | undefined;
  #refs = 0;
  #isClosed = false;
  #isLive = false;
  #whenLive: () => void = () => undefined;

  private constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Resolves when all of `welcome` has arrived. */
  static async open(options: ClientOptions): Promise<RealtimeClient> {
    const client = new RealtimeClient(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    client.#whenLive = resolve;
    await client.#connect();
    await promise;
    client.#whenLive = () => options.onBack?.();
    return client;
  }

  /** Resolves with the answer, which may be that of a repeat. */
  async ask(call: Call): Promise<Answer> {
    const ref = String((this.#refs += 1));
    const frame: ClientFrame = { ...call, ref };
    return await new Promise((resolve) => {
      this.#unanswered.set(ref, { frame, resolve });
      if (this.#isLive) this.#socket?.say(frame);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }

  async #connect(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const { port, token } = this.#options;
        this.#socket = await RawSocket.open(port, {
          onFrame: (frame) => this.#hear(frame),
          onClose: () => this.#lost(),
        });
        this.#socket.say({
          op: 'hello',
          token,
          ...(this.#position === undefined ? {} : { since: this.#position }),
        });
        return;
      } catch {
        this.failures += 1;
        await sleep(Math.random() * comeBackMs);
      }
    }
  }

  #lost(): void {
    if (this.#isClosed) return;
    if (this.#isLive) this.#options.onLost?.();
    else this.failures += 1;
    this.#isLive = false;
    void sleep(Math.random() * comeBackMs).then(async () => this.#connect());
  }

  #hear(frame: ServerFrame): void {
    if (frame.op === 'done' || frame.op === 'refused') {
      return this.#answered(frame);
    }
    const isPart = (frame.op === 'welcome' || frame.op === 'heads') && !frame.complete;
    if ('position' in frame && !isPart) this.#position = frame.position;
    this.#options.onFrame?.(frame);
    if ((frame.op === 'welcome' || frame.op === 'heads') && frame.complete) this.#live();
  }

  #answered(answer: Answer): void {
    const call = this.#unanswered.get(answer.ref);
    if (call === undefined) return;
    if (answer.op === 'refused' && passing.has(answer.problem.status)) return void this.#repeat(call.frame, answer.ref);
    this.#unanswered.delete(answer.ref);
    call.resolve(answer);
  }

  /** What the server could not do now. */
  async #repeat(frame: ClientFrame, ref: string): Promise<void> {
    this.failures += 1;
    await sleep(Math.random() * comeBackMs);
    if (this.#isLive && this.#unanswered.has(ref)) this.#socket?.say(frame);
  }

  #live(): void {
    this.#isLive = true;
    for (const { frame } of this.#unanswered.values()) this.#socket?.say(frame);
    this.#whenLive();
  }
}

/** The worker of a client's socket: request ids begin with it. */
export async function workerOf(client: RealtimeClient): Promise<string> {
  const conversation_id = '00000000-0000-4000-8000-000000000000';
  const answer = await client.ask({ op: 'open', conversation_id, after: 0 });
  if (answer.op === 'done') throw new Error('a conversation that does not exist was opened');
  return answer.problem.request_id.split('-', 1).join('');
}
