import { setTimeout as sleep } from 'node:timers/promises';

import { Device } from './device.ts';
import type { ChatWorld, Person } from './person.ts';
import type { View } from './view.ts';

const checkMs = 10;

/** A server that has broken a promise is not waited for as long as a slow one. */
const impatientMs = 500;

/** Between two attempts to open a conversation that the server refuses. */
const retryMs = 200;

/**
 * After the run, a second device of the person connects, without a position. Its list must show exactly what is unread, and it must be able
 * to load all messages of the run. A server that does not answer in time has failed, but has broken no promise.
 */
export async function reload(person: Person, world: ChatWorld, signal: AbortSignal): Promise<void> {
  const second = new SecondDevice(person, world, signal);
  try {
    const isLoaded = await second.load(person.device);
    if (!isLoaded) world.recorder.record('Reload', world.deadlineMs, { kind: 'timeout' });
  } finally {
    second.device.leave();
  }
}

const ignore = (): void => undefined;

class SecondDevice {
  readonly device: Device;
  readonly #world: ChatWorld;
  readonly #signal: AbortSignal;
  #refusals = 0;

  constructor({ identity }: Person, world: ChatWorld, signal: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
    this.device = new Device(
      world,
      { ...identity, name: `second device of ${identity.name}` },
      {
        onReady: ignore,
        onLive: ignore,
        onArrivals: ignore,
        onListUpdate: ignore,
        onMalformed: ignore,
        onEnd: ignore,
        onAnswer: ({ op }) => {
          if (op === 'refused') this.#refusals += 1;
        },
      },
    );
  }

  /** Resolves with whether the server has answered. */
  async load(first: Device): Promise<boolean> {
    this.device.connect();
    if (!(await this.#wait(() => this.device.isReady))) return false;
    await this.#wait(() => this.device.views.values().every((view) => view.isUpToDate));
    for (const [id, view] of this.device.views) {
      view.checkDelivered();
      const expected = first.views.get(id)?.expectedRead;
      if (expected !== undefined) view.checkRead(expected);
      if (!view.ledger.isUnused && !(await this.#loadHistory(id, view))) return false;
    }
    return true;
  }

  async #loadHistory(id: string, view: View): Promise<boolean> {
    const untilMs = this.#untilMs();
    while (!(await this.#open(id, view))) {
      if (this.#world.now() >= untilMs) return false;
      await sleep(retryMs, undefined, { signal: this.#signal });
    }
    view.checkHistory();
    this.device.close(id);
    return true;
  }

  async #open(id: string, view: View): Promise<boolean> {
    const refusals = this.#refusals;
    view.rewind();
    this.device.open(id, view, id);
    await this.#wait(() => view.isLive || this.#refusals > refusals);
    if (!view.isLive) view.close();
    return view.isOpen;
  }

  async #wait(isDone: () => boolean): Promise<boolean> {
    const untilMs = this.#untilMs();
    while (!isDone() && this.#world.now() < untilMs) await sleep(checkMs, undefined, { signal: this.#signal });
    return isDone();
  }

  #untilMs(): number {
    const { now, violations, deadlineMs } = this.#world;
    return now() + (violations.isEmpty ? deadlineMs : impatientMs);
  }
}
