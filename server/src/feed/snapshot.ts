/** `pg_snapshot` of the primary: which transactions have ended. Transaction numbers are the lower 32 bits, as the log has them. */
export interface Snapshot {
  readonly xmin: number;
  readonly xmax: number;
  readonly running: ReadonlySet<number>;
}

/** Of text like `750:753:750,752`. */
export function parseSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = '', running = ''] = text.split(':');
  const numbers = running === '' ? [] : running.split(',').map(low32);
  return { xmin: low32(xmin), xmax: low32(xmax), running: new Set(numbers) };
}

/** Whether every statement that begins from now on sees a transaction, whose commit is in the log. */
export function isVisible(xid: number, { xmin, xmax, running }: Snapshot): boolean {
  // Numbers wrap around: half of them are older than any number, half are newer.
  if (((xid - xmin) | 0) < 0) return true;
  if (((xid - xmax) | 0) >= 0) return false;
  return !running.has(xid | 0);
}

function low32(text: string): number {
  return Number(BigInt.asIntN(32, BigInt(text)));
}
