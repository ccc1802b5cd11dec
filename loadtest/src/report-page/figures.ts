/** Numbers for readers. */

/** Whole numbers with thousands separators. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Three significant digits below 1,000, e.g. `0.42`, `6.05`, `1,240`. */
export function figure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A fraction in percent. Only 0 is shown as `0 %`, and only 1 as `100 %`. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = (100 * part) / whole;
  if (part > 0 && percent < 0.01) return '< 0.01 %';
  if (part < whole && percent > 99.99) return '> 99.99 %';
  return `${percent.toLocaleString('en', { maximumFractionDigits: 2 })} %`;
}

/** A time span: `340 ms`, `12.3 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${figure(ms)} ms`;
  if (ms < 60_000) return `${figure(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
