import { placeOf, type Endpoint } from './endpoint.ts';
import { areOneServer } from './identity.ts';
import type { ServerStatus } from './position.ts';
import type { Probe } from './probe.ts';

/** The state of the server at one endpoint, as of its last answer. */
export class Server {
  readonly endpoint: Endpoint;
  readonly #probe: Pick<Probe, 'ask' | 'close'>;
  #status: ServerStatus | undefined;
  #lastStatus: ServerStatus | undefined;
  #failure: unknown;
  #asking: Promise<ServerStatus | undefined> | undefined;
  readonly #listeners: (() => void)[] = [];

  constructor(endpoint: Endpoint, probe: Pick<Probe, 'ask' | 'close'>) {
    this.endpoint = endpoint;
    this.#probe = probe;
  }

  /** `host:port`, for the log. */
  get place(): string {
    return placeOf(this.endpoint);
  }

  /** Undefined before the first answer, and after a missing one. */
  get status(): ServerStatus | undefined {
    return this.#status;
  }

  /** The same, kept after a missing answer. */
  get lastStatus(): ServerStatus | undefined {
    return this.#lastStatus;
  }

  /** Why there is no status. */
  get failure(): unknown {
    return this.#failure;
  }

  get isBeingAsked(): boolean {
    return this.#asking !== undefined;
  }

  /** Calls the listener after each answer, and each missing one. */
  onAnswer(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves within a second with the status; never rejects. `anew` sends a separate query over a new connection. */
  async ask({ anew = false } = {}): Promise<ServerStatus | undefined> {
    if (anew) await this.#asking;
    this.#asking ??= this.#ask(anew).finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  async close(): Promise<void> {
    await this.#probe.close();
  }

  async #ask(anew: boolean): Promise<ServerStatus | undefined> {
    try {
      this.#status = sameTimelineOrNewer(await this.#probe.ask(anew), this.#lastStatus);
      this.#lastStatus = this.#status;
    } catch (error) {
      this.#status = undefined;
      this.#failure = error;
    }
    for (const listener of this.#listeners) listener();
    return this.#status;
  }
}

/**
 * A standby without its primary may report an older timeline than it has replayed; no server goes back to one while it
 * runs.
 */
function sameTimelineOrNewer(status: ServerStatus, before: ServerStatus | undefined): ServerStatus {
  if (before === undefined || !areOneServer(status, before)) return status;
  return { ...status, timeline: Math.max(status.timeline, before.timeline) };
}
