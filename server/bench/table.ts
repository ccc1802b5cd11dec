import type { Figure, Line, Source } from './lines.ts';
import { keyOf, type Sample, type Samples } from './rounds.ts';
import { median, medianRatio } from './statistics.ts';

type Verdict = 'reached' | 'missed' | 'void: requests failed' | 'skipped: pgbench is not installed';

export interface Result {
  readonly line: Line;
  /** Undefined without valid samples. */
  readonly ratio: number | undefined;
  readonly verdict: Verdict;
}

/** The result of a line over all rounds. One failed request in one round invalidates it. */
export function judge(line: Line, samples: Samples): Result {
  const [left, right] = [samples.get(keyOf(line.left)), samples.get(keyOf(line.right))];
  if (left === undefined || right === undefined) {
    return { line, ratio: undefined, verdict: 'skipped: pgbench is not installed' };
  }
  if ([...left, ...right].some(({ failures = 0 }) => failures > 0)) {
    return { line, ratio: undefined, verdict: 'void: requests failed' };
  }
  const ratio = medianRatio(figures(left, line.figure), figures(right, line.figure));
  const { target } = line;
  const isReached = 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
  return { line, ratio, verdict: isReached ? 'reached' : 'missed' };
}

function figures(samples: readonly Sample[], figure: keyof Sample): number[] {
  return samples.map(({ [figure]: value }) => value ?? Number.NaN);
}

const digits: Readonly<Record<Figure, number>> = { perSecond: 0, p99Ms: 1, databaseUs: 0 };
const units: Readonly<Record<Figure, string>> = { perSecond: '/s', p99Ms: ' ms', databaseUs: ' µs' };

function show(source: Source, figure: Figure, samples: Samples): string {
  const measured = samples.get(keyOf(source));
  return measured === undefined ? '' : `${median(figures(measured, figure)).toFixed(digits[figure])}${units[figure]}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The lines with their ratios, as Markdown. */
export function renderResults(results: readonly Result[], samples: Samples): string {
  return [
    row(['', 'wanted', 'measured', 'left', 'right', '']),
    row(['---', '---', '---', '---', '---', '---']),
    ...results.map(({ line, ratio, verdict }) => {
      const wanted = 'atLeast' in line.target ? `≥ ${line.target.atLeast}` : `≤ ${line.target.atMost}`;
      const sides = [line.left, line.right].map((source) => show(source, line.figure, samples));
      return row([line.title, wanted, ratio?.toFixed(2) ?? '', ...sides, verdict]);
    }),
  ].join('\n');
}

const columns = [
  ['perSecond', 'requests/s', 0],
  ['p99Ms', 'p99 ms', 1],
  ['workerUs', 'workers, CPU µs', 0],
  ['databaseUs', 'databases, CPU µs', 0],
  ['clientUs', 'load client, CPU µs', 0],
  ['failures', 'failed', 0],
] as const;

/** The medians of all HTTP measurements, per request, as Markdown. */
export function renderSamples(samples: Samples): string {
  const overHttp = [...samples].filter(([, [first]]) => first?.failures !== undefined);
  return [
    row(['', ...columns.map(([, title]) => title)]),
    row(['---', ...columns.map(() => '---:')]),
    ...overHttp.map(([key, measured]) =>
      row([key, ...columns.map(([figure, , places]) => median(figures(measured, figure)).toFixed(places))]),
    ),
  ].join('\n');
}

const [begin, end] = ['<!-- bench -->', '<!-- /bench -->'];

/** The page with the text between its markers, which are appended if missing. */
export function putIntoPage(page: string, text: string): string {
  const block = `${begin}\n\n${text}\n\n${end}`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) return `${page.trimEnd()}\n\n${block}\n`;
  return `${page.slice(0, from)}${block}${page.slice(to + end.length)}`;
}
