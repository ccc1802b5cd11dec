import type { Report } from '../report.ts';
import { count, figure, share } from './figures.ts';
import { html, type Markup } from './markup.ts';

type Buckets = Report['histogram'];

export interface Range {
  readonly fromMs: number;
  readonly upToMs: number;
  readonly count: number;
}

/**
 * Buckets of any widths, gathered into ranges whose bounds are 1, 2 and 5 times powers of ten, without gaps from the
 * first that is filled to the last. A bucket that crosses a bound counts above it.
 */
export function gatherRanges(buckets: Buckets): Range[] {
  const counts = new Map<number, number>();
  for (const bucket of buckets) {
    const bound = boundAbove(bucket.upToMs);
    if (bucket.count > 0) counts.set(bound, (counts.get(bound) ?? 0) + bucket.count);
  }
  const last = Math.max(...counts.keys());
  const ranges: Range[] = [];
  for (let upToMs = Math.min(...counts.keys()); upToMs <= last; upToMs = boundAbove(upToMs * 1.01)) {
    ranges.push({ fromMs: boundBelow(upToMs), upToMs, count: counts.get(upToMs) ?? 0 });
  }
  return ranges;
}

/** The finest bound; everything below is one range. */
const finestMs = 0.1;
const steps = [1, 2, 5, 10];

function boundAbove(ms: number): number {
  if (ms <= finestMs) return finestMs;
  const power = 10 ** Math.floor(Math.log10(ms));
  const step = steps.find((one) => round(one * power) >= ms) ?? 10;
  return round(step * power);
}

function boundBelow(boundMs: number): number {
  if (boundMs <= finestMs) return 0;
  const power = 10 ** Math.floor(Math.log10(boundMs * 0.99));
  const step = steps.findLast((one) => round(one * power) < boundMs) ?? 1;
  return round(step * power);
}

/** Powers of ten below one are not exact: 5 × 0.1 must be the same bound wherever it comes from. */
function round(ms: number): number {
  return Number(ms.toPrecision(3));
}

/** How many requests took how long, as bars with their numbers: the bars show the bulk, the numbers the tail. */
export function renderDistribution({ histogram }: Report): Markup {
  const ranges = gatherRanges(histogram);
  const total = ranges.reduce((sum, range) => sum + range.count, 0);
  const most = Math.max(...ranges.map((range) => range.count));
  const rows = ranges.map(
    (range) =>
      html`<tr>
        <th scope="row">${bound(range.fromMs)} – ${bound(range.upToMs)}</th>
        <td class="bar">${bar(range.count / most)}</td>
        <td>${count(range.count)}</td>
        <td>${share(range.count, total)}</td>
      </tr>`,
  );
  return html`<table class="bars">
    <thead>
      <tr>
        <th scope="col">Latency, ms</th>
        <td></td>
        <th scope="col">Requests</th>
        <th scope="col">Share</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

const bound = (ms: number): string => ms.toLocaleString('en', { maximumFractionDigits: 1 });

function bar(part: number): Markup {
  const width = figure(100 * part);
  return html`<svg aria-hidden="true" width="100%" height="10"><rect width="${width}%" height="10" rx="2" /></svg>`;
}
