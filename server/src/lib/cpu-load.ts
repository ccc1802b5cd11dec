import { performance } from 'node:perf_hooks';

/** The CPU time that this thread takes. */
export class CpuLoad {
  #sinceMs = performance.now();
  #since = cpuMs();

  /** CPU time per time since the call before, from 0 to 1. */
  measure(): number {
    const [untilMs, until] = [performance.now(), cpuMs()];
    const load = (until - this.#since) / Math.max(1, untilMs - this.#sinceMs);
    this.#sinceMs = untilMs;
    this.#since = until;
    return Math.min(1, load);
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
