/**
 * The highest rate that `holds`, 0 when none from 1 on does: doubles from `from` until one does not hold (or halves until
 * one does), then bisects, geometrically. What is found is within 2^(1 / 2^bisections) of the truth: 19 % for 2, 5 % for 4.
 */
export async function searchRate(
  from: number,
  bisections: number,
  holds: (rate: number) => Promise<boolean>,
): Promise<number> {
  let held = 0;
  let missed = Infinity;
  let left = bisections;
  for (let rate = from; rate >= 1 && left >= 0; rate = nextRate(held, missed)) {
    if (await holds(rate)) held = rate;
    else missed = rate;
    if (held > 0 && missed < Infinity) left -= 1;
  }
  return held;
}

function nextRate(held: number, missed: number): number {
  if (missed === Infinity) return held * 2;
  return held === 0 ? Math.floor(missed / 2) : Math.sqrt(held * missed);
}
