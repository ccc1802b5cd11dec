import type { Measured } from './run.ts';
import { counterpart, medianOf, ratioOf, type Figure, type Verdict } from './verdicts.ts';

/** Above this fraction of its core, the generator may be the limit. */
const nearLimit = 0.9;

const heads = [
  ['cell', 'processes', 'side', 'requests/s', 'p50 ms', 'p99 ms', 'server µs', 'databases µs', 'statements', 'commits'],
  ['calls server', 'calls databases', 'bytes', 'generator', 'others', '÷ floor: req/s', 'p50', 'CPU'],
].flat();

function places(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

function rowOf(all: readonly Measured[], one: Measured): string[] {
  const { cell, processes, kind, census, samples } = one;
  const floor = kind === 'floor' ? undefined : counterpart(all, one, 'floor');
  const ratio = (figure: Figure): string =>
    floor === undefined ? '' : places(ratioOf({ left: one, right: floor }, figure), 2);
  const use = medianOf(one, 'clientUse');
  const failures = samples.reduce((sum, sample) => sum + sample.failures, 0);
  return [
    cell,
    String(processes),
    kind,
    `${places(medianOf(one, 'perSecond'), 0)}${failures > 0 ? ` (${failures} failed)` : ''}`,
    places(medianOf(one, 'p50Ms'), 2),
    places(medianOf(one, 'p99Ms'), 1),
    places(medianOf(one, 'serverUs'), 1),
    places(medianOf(one, 'databaseUs'), 1),
    places(census?.statements, 3),
    places(census?.commits, 3),
    places(census?.serverCalls, 1),
    places(census?.databaseCalls, 1),
    places(medianOf(one, 'bytes'), 0),
    `${places(use * 100, 0)}%${use > nearLimit ? '!' : ''}`,
    `${places(medianOf(one, 'othersUse') * 100, 0)}%`,
    ratio('perSecond'),
    ratio('p50Ms'),
    ratio('cpuUs'),
  ];
}

/** Columns as wide as their widest cell; the first and the third are text, the others numbers. */
export function alignColumns(rows: readonly (readonly string[])[], texts: readonly number[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => {
      const cells = row.map((text, column) => {
        const width = widths[column] ?? 0;
        return texts.includes(column) ? text.padEnd(width) : text.padStart(width);
      });
      return cells.join('  ').trimEnd();
    })
    .join('\n');
}

/**
 * Medians of the rounds, and medians of the ratios to the floor within rounds. `generator` and `others` are fractions of one core: of the
 * load generator, and of everything else on the machine.
 */
export function renderCost(all: readonly Measured[]): string {
  const most = Math.max(...all.map((one) => medianOf(one, 'clientUse')));
  const footer = `The load generator used at most ${places(most * 100, 0)}% of a core.`;
  return `${alignColumns([heads, ...all.map((one) => rowOf(all, one))], [0, 2])}\n\n${footer}`;
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return 'No target is about these cells.';
  const rows = verdicts.map(({ title, wanted, ratio, reached, of, worst }) => [
    title,
    wanted,
    places(ratio, 2),
    `${reached} of ${of}`,
    reached === of ? 'reached' : 'missed',
    worst,
  ]);
  return alignColumns([['', 'wanted', 'worst', 'cells', '', 'worst cell (processes)'], ...rows], [0, 4, 5]);
}
