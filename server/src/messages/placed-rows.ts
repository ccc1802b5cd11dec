/** A row for one of several calls; `place` is that of the call, from 1. */
export interface Placed {
  readonly place: number;
}

/** The row of each call. The order of rows in a result is not guaranteed. */
export function byPlace<Row extends Placed>(rows: readonly Row[], calls: number): Row[] {
  const placed = rows.toSorted((one, other) => one.place - other.place);
  if (placed.length !== calls || placed.some(({ place }, index) => place !== index + 1))
    throw new Error('a statement returned other rows than one for each call');
  return placed;
}

/** The result of the only call. */
export function onlyOf<Result>(results: readonly Result[]): Result {
  const [result] = results;
  if (result === undefined) throw new Error('a statement returned no result');
  return result;
}
