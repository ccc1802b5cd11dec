/** Formats numbers with three significant digits and a unit. */

/** @param {number} value */
function threeFigures(value) {
  if (value === 0) return '0';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** @param {number} value */
export function formatCount(value) {
  return value >= 100_000 ? `${threeFigures(value / 1_000)} k` : threeFigures(value);
}

/** @param {number} seconds */
export function formatDuration(seconds) {
  if (seconds < 1) return `${threeFigures(seconds * 1_000)} ms`;
  if (seconds < 120) return `${threeFigures(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${threeFigures(bytes / 1_024 ** power)} ${units[power]}`;
}

/** @param {number} part of 1 */
export function formatPercent(part) {
  const percent = part * 100;
  // Only 1 is shown as 100 %.
  if (percent > 99.9 && percent < 100) return '> 99.9 %';
  return `${threeFigures(percent)} %`;
}

/** A text with its numbers masked, so that only a change of words counts. @param {string} text */
export function withoutNumbers(text) {
  return text.replaceAll(/(?:> )?\d[\d.,]*(?: (?:ms|s|min|h|d|k|%|B|[KMGT]iB)(?![a-z]))?/gu, '#');
}

/** Capitalizes the first letter. @param {string} name */
export function titleOf(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
