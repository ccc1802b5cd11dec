import type { Fault } from './connection.ts';
import { Distribution } from './distribution.ts';
import type { FaultTally, RequestTally, SecondTally } from './messages.ts';

/** Records the outcomes of one generator: by request, by second, and how late it sent. */
export class Recorder {
  readonly lateStarts = new Distribution();
  readonly #requests = new Map<string, { readonly ok: Distribution; readonly failed: Distribution }>();
  readonly #arrivals: ReadonlySet<string>;
  readonly #faults = new Map<string, FaultTally>();
  #second = new Distribution();
  #failed = 0;
  #refused = 0;

  /** `arrivals` are measured like requests, but are neither in the seconds nor in the total. */
  constructor(requestNames: readonly string[], arrivals: readonly string[] = []) {
    this.#arrivals = new Set(arrivals);
    for (const name of [...requestNames, ...arrivals])
      this.#requests.set(name, { ok: new Distribution(), failed: new Distribution() });
  }

  /** Records the end of a request; with a `fault` when it failed. */
  record(request: string, latencyMs: number, fault: Fault | undefined): void {
    if (!this.#arrivals.has(request)) this.#second.add(latencyMs);
    const outcome = fault === undefined ? 'ok' : 'failed';
    this.#requests.get(request)?.[outcome].add(latencyMs);
    if (fault !== undefined) this.#countFault(request, fault);
  }

  #countFault(request: string, fault: Fault): void {
    this.#failed++;
    if (fault.kind === 'refused') this.#refused++;
    const key = `${request}\n${fault.kind}`;
    const known = this.#faults.get(key) ?? { ...fault, request, count: 0 };
    this.#faults.set(key, { ...known, count: known.count + 1 });
  }

  /** The outcomes since the last call. */
  takeSecond(): Pick<SecondTally, 'failed' | 'refused' | 'latencies'> {
    const taken = { failed: this.#failed, refused: this.#refused, latencies: this.#second.pack() };
    this.#second = new Distribution();
    this.#failed = 0;
    this.#refused = 0;
    return taken;
  }

  requests(): RequestTally[] {
    return Array.from(this.#requests, ([name, { ok, failed }]) => {
      return { name, ok: ok.pack(), failed: failed.pack(), isArrival: this.#arrivals.has(name) };
    });
  }

  faults(): FaultTally[] {
    return [...this.#faults.values()];
  }
}
