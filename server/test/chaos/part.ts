import { Random } from './random.ts';

/** What every part is given. */
export interface Run {
  readonly random: Random;
  /** Aborts when the person at the keyboard has enough: parts end soon, and end what they started. */
  readonly signal: AbortSignal;
  /** Tells how far it has come. */
  readonly say: (line: string) => void;
}

/** A run in a test: it says nothing, and another one each time; the seed is to be told when it fails. */
export function runInTest(): { readonly run: Run; readonly seed: number } {
  const seed = Date.now() % 1_000_000;
  return { run: { random: new Random(seed), signal: new AbortController().signal, say: () => undefined }, seed };
}

/** What a part found. It holds when there is no violation. */
export interface Finding {
  /** One line for a person. */
  readonly figures: string;
  /** Sentences; the first few of each part are enough to look for the defect. */
  readonly violations: readonly string[];
}

/** The value below which this share of the values lies; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
