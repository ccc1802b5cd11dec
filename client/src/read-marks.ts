import { toApiError } from './api-error.ts';
import type { ServerFrames } from './api.ts';
import type { CallFrame, Done } from './calls.ts';
import type { Clock } from './clock.ts';
import type { Store } from './store.ts';

interface ReadMarksOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly isOnline: () => boolean;
  readonly call: (call: CallFrame) => Promise<Done>;
}

const retryMs = 5_000;

/** What the person has read, and what others have read. */
export class ReadMarks {
  readonly #options: ReadMarksOptions;
  readonly #running = new Set<string>();
  readonly #others = new Map<string, Map<string, number>>();

  constructor(options: ReadMarksOptions) {
    this.#options = options;
  }

  /** Shows at once. While one call runs, the next waits, and then tells the last number alone; a lost connection delays it. */
  read(id: string, number: number): void {
    const state = this.#options.store.find(id);
    if (state === undefined || number <= state.view.me.read_number) return;
    state.wantRead(number);
    this.#options.store.changed(id);
    void this.#tell(id);
  }

  /** A connection is ready. */
  online(): void {
    for (const { id, wantedRead } of this.#options.store.all) if (wantedRead > 0) void this.#tell(id);
  }

  /** The number up to which other members have read, by their ids; of those who show it. */
  others(id: string): ReadonlyMap<string, number> {
    return this.#others.get(id) ?? new Map<string, number>();
  }

  receive({ conversation_id: id, user_id: userId, number }: ServerFrames['read']): void {
    const people = this.#others.get(id) ?? new Map<string, number>();
    this.#others.set(id, people.set(userId, Math.max(number, people.get(userId) ?? 0)));
    this.#options.store.changed(id);
  }

  async #tell(id: string): Promise<void> {
    const { store, call, isOnline, clock } = this.#options;
    if (this.#running.has(id)) return;
    this.#running.add(id);
    for (let number = 0; isOnline();) {
      const wanted = store.find(id)?.wantedRead ?? 0;
      if (wanted <= number) break;
      number = wanted;
      try {
        const { position } = await call({ op: 'read', conversation_id: id, number });
        store.find(id)?.applyRead(number, position);
      } catch (error) {
        if (toApiError(error).isTransient) {
          if (isOnline()) clock.setTimeout(() => void this.#tell(id), retryMs);
          break;
        }
        store.find(id)?.refuseRead();
      }
      store.changed(id);
    }
    this.#running.delete(id);
  }
}
