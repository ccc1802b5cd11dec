/** The median. Throws without values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  if (low === undefined || high === undefined) throw new RangeError('there is no median without values');
  return (low + high) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed. Throws without values. */
export function quantile(values: readonly number[], share: number): number {
  return quantileOf(
    values.toSorted((a, b) => a - b),
    share,
  );
}

/** The same for sorted values. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError('there is no quantile without values');
  return value;
}

/** The median of the ratios within rounds: noise that affects a whole round cancels out. */
export function medianRatio(left: readonly number[], right: readonly number[]): number {
  if (left.length !== right.length)
    throw new RangeError(`${left.length} rounds on one side, ${right.length} on the other`);
  return median(left.map((value, round) => value / (right[round] ?? Number.NaN)));
}
