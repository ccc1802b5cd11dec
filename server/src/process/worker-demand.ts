import type { WorkerLoad } from './messages.ts';

/** The load of a worker that accepts connections; undefined while it does not respond. */
export type Measured = WorkerLoad | undefined;

export interface Decision {
  /** How many workers should accept connections. */
  readonly wanted: number;
  /** Which of the measured workers should close how many of its connections. */
  readonly shed?: { readonly index: number; readonly connections: number };
}

/** Above this CPU time, or share of its connections, a worker is busy. */
const busy = { cpu: 0.8, connections: 0.5 };

/** When one worker less would have at most this, it is one too many. */
const calm = { cpu: 0.5, connections: 0.25 };

/** The busiest worker gives connections away when the least busy one has this much more time. */
const unevenCpu = 0.3;

/** Measurements in a row: one may be chance. */
const busyFor = 2;

/** The load of many clients comes in waves. */
const calmFor = 80;

/** Measurements until the effect of shedding shows. */
const settlingFor = 4;

/**
 * Decides how many workers accept connections. Fewer make larger batches, whose fixed cost more calls share: another one joins only
 * when those before it are busy. See docs/decisions/0060-workers-on-demand.md.
 */
export class WorkerDemand {
  readonly #most: number;
  #wanted = 1;
  #busyCount = 0;
  #calmCount = 0;
  #settling = 0;

  /** `most` is the number of workers. */
  constructor(most: number) {
    this.#most = most;
  }

  get wanted(): number {
    return this.#wanted;
  }

  /** Call it at a steady interval with the loads of all workers that accept connections. */
  measured(workers: readonly Measured[]): Decision {
    const loads = workers.filter((load) => load !== undefined);
    this.#busyCount = areBusy(loads) ? this.#busyCount + 1 : 0;
    this.#calmCount = this.#areCalm(loads) ? this.#calmCount + 1 : 0;
    if (this.#busyCount >= busyFor && loads.length >= this.#wanted) this.#want(Math.min(this.#wanted + 1, this.#most));
    if (this.#calmCount >= calmFor) this.#want(this.#wanted - 1);
    return { wanted: this.#wanted, ...this.#level(workers) };
  }

  #want(wanted: number): void {
    this.#wanted = wanted;
    this.#busyCount = 0;
    this.#calmCount = 0;
  }

  #areCalm(loads: readonly WorkerLoad[]): boolean {
    const rest = this.#wanted - 1;
    if (rest === 0) return false;
    return (
      sum(loads.map(({ cpu }) => cpu)) <= calm.cpu * rest && sum(loads.map(connectionShare)) <= calm.connections * rest
    );
  }

  #level(workers: readonly Measured[]): Pick<Decision, 'shed'> {
    this.#settling = Math.max(0, this.#settling - 1);
    if (this.#settling > 0) return {};
    const loads = workers.flatMap((load, index) => (load === undefined ? [] : [{ ...load, index }]));
    const sorted = loads.toSorted((a, b) => a.cpu - b.cpu);
    const [least, most] = [sorted.at(0), sorted.at(-1)];
    if (least === undefined || most === undefined) return {};
    if (most.cpu <= busy.cpu || most.cpu - least.cpu < unevenCpu) return {};
    this.#settling = settlingFor;
    const share = (most.cpu - least.cpu) / (2 * most.cpu);
    return { shed: { index: most.index, connections: Math.round(share * most.connections) } };
  }
}

function areBusy(loads: readonly WorkerLoad[]): boolean {
  const count = Math.max(1, loads.length);
  return (
    sum(loads.map(({ cpu }) => cpu)) > busy.cpu * count || sum(loads.map(connectionShare)) > busy.connections * count
  );
}

function connectionShare({ connections, maxConnections }: WorkerLoad): number {
  return connections / maxConnections;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
