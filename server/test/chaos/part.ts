import { Random } from './random.ts';

/** The common arguments of all parts. */
export interface Run {
  readonly random: Random;
  /** Aborts on Ctrl-C: parts end soon, and end what they started. */
  readonly signal: AbortSignal;
  /** Reports progress. */
  readonly say: (line: string) => void;
}

/** A run in a test: silent, with a new seed each time, which a failure reports. */
export function runInTest(): { readonly run: Run; readonly seed: number } {
  const seed = Date.now() % 1_000_000;
  return { run: { random: new Random(seed), signal: new AbortController().signal, say: () => undefined }, seed };
}

/** The result of a part. It passes without violations. */
export interface Finding {
  /** One line. */
  readonly figures: string;
  /** Sentences; the first few of each part are enough to find the defect. */
  readonly violations: readonly string[];
}

/** The value at this share of the sorted values; 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
