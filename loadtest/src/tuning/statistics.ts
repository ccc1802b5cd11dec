/** Throws for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('there is no median of nothing');
  return (lower + upper) / 2;
}

/**
 * The median of `values[i] / bases[i]`. Pairs are measured close in time, so that noise of the machine affects both. Throws for
 * lists of different lengths, and for a base of 0.
 */
export function medianRatio(values: readonly number[], bases: readonly number[]): number {
  if (values.length !== bases.length) throw new RangeError('ratios need pairs');
  if (bases.includes(0)) throw new RangeError('there is no ratio to 0');
  return median(values.map((value, index) => value / (bases[index] ?? Number.NaN)));
}

/** A different order in each round, so that no configuration always follows the same one. */
export function rotate<Value>(values: readonly Value[], by: number): Value[] {
  const at = values.length === 0 ? 0 : by % values.length;
  return [...values.slice(at), ...values.slice(0, at)];
}
