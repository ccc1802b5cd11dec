import { after, before, messenger, optimisations, ablate } from './configurations.ts';
import { renderTable } from './markdown-table.ts';
import type { PairResult } from './query-pairs.ts';
import { median, medianRatio } from './statistics.ts';
import type { Effort, Visit } from './visit.ts';

/** The results of the benchmark: each round measures every configuration once. */
export interface Findings {
  readonly isQuick: boolean;
  readonly effort: Effort;
  readonly rounds: readonly (readonly Visit[])[];
  readonly pairs: readonly PairResult[];
  /** Date, commit and machine. */
  readonly circumstances: readonly string[];
}

export function renderFindings(findings: Findings): string {
  const { rounds, effort, isQuick, circumstances } = findings;
  const stallMs = Math.max(...rounds.flat().map((one) => one.maxStallMs));
  const requests = effort.usersPerSecond * 5;
  return `${isQuick ? '**A quick run: short measurements, a first impression.** ' : ''}${circumstances.join('; ')}.
Medians of ${rounds.length} interleaved rounds; ms, and CPU in µs per request. Common load: ${requests} requests/s for ${effort.loadSeconds} s,
strict checks. Capacity: ${describeCapacity(findings)}.
The machine's longest stall, seen by an idle process: ${stallMs.toFixed(0)} ms. ${renderDoubts(findings)}

${renderComparison(rounds)}

"After" without one optimisation, as ratios to "After" in the same round; the dearest loss first:

${renderAblation(rounds)}

The guide's query optimisations, on one connection in turns:

${renderPairs(findings.pairs)}`;
}

function describeCapacity({ rounds, effort }: Findings): string {
  if (rounds.flat().every(({ capacity }) => capacity === undefined)) return 'not measured';
  return `the highest rate without a failure and with p99 ≤ ${effort.p99Ms} ms, in steps of ${effort.stepSeconds} s`;
}

function renderDoubts({ rounds }: Findings): string {
  const saturated = rounds.flat().filter((one) => one.isSaturated).length;
  return saturated === 0
    ? ''
    : `In ${saturated} of ${rounds.flat().length} measurements the load generator fell behind.`;
}

const of = (rounds: Findings['rounds'], name: string): Visit[] =>
  rounds.flatMap((round) => round.filter((one) => one.configuration === name));

function renderComparison(rounds: Findings['rounds']): string {
  const titles = ['', 'success', 'capacity/s', 'mean', 'p95', 'p99', 'max', 'failed', 'server CPU', 'databases CPU'];
  const rows = [before, after, messenger].map(({ name }) => {
    const visits = of(rounds, name);
    const middle = (value: (one: Visit) => number | undefined, digits: number): string => {
      const values = visits.map(value).filter((one) => one !== undefined);
      return values.length === 0 ? '–' : median(values).toFixed(digits);
    };
    const failed = sum(visits.map(({ load }) => load.failed));
    return [
      name,
      successRate(failed, sum(visits.map(({ load }) => load.count))),
      middle(({ capacity }) => capacity, 0),
      middle(({ load }) => load.meanMs, 1),
      middle(({ load }) => load.p95Ms, 1),
      middle(({ load }) => load.p99Ms, 1),
      middle(({ load }) => load.maxMs, 0),
      String(failed),
      middle(({ cpu }) => cpu?.serverMicros, 0),
      middle(({ cpu }) => cpu?.databasesMicros, 0),
    ];
  });
  return renderTable(titles, rows);
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

/** Rounded down: only a run without failures shows 100 %. */
function successRate(failed: number, count: number): string {
  return count === 0 ? '–' : `${(Math.floor((10_000 * (count - failed)) / count) / 100).toFixed(2)}%`;
}

function renderAblation(rounds: Findings['rounds']): string {
  const bases = of(rounds, after.name);
  const rows = optimisations.map((one) => {
    const visits = of(rounds, ablate(one).name);
    const ratio = (value: (visit: Visit) => number | undefined): number | undefined => ratioOf(visits, bases, value);
    const cpu = ratio((visit) => visit.cpu && visit.cpu.serverMicros + visit.cpu.databasesMicros);
    const capacity = ratio((visit) => visit.capacity);
    const ratios = [capacity, ratio(({ load }) => load.meanMs), ratio(({ load }) => load.p99Ms), cpu];
    const failed = sum(visits.map(({ load }) => load.failed));
    // Without a capacity, ranked by CPU: at full load it is the inverse.
    return { worth: capacity ?? 1 / (cpu ?? 1), cells: [one.name, one.claim, ...ratios.map(times), String(failed)] };
  });
  const ranked = rows.toSorted((a, b) => a.worth - b.worth).map(({ cells }) => cells);
  return renderTable(['without', 'the guide says', 'capacity', 'mean', 'p99', 'CPU', 'failed'], ranked);
}

function ratioOf(
  visits: readonly Visit[],
  bases: readonly Visit[],
  value: (visit: Visit) => number | undefined,
): number | undefined {
  const pairs = visits.flatMap((one, index) => {
    const base = bases[index];
    const [upper, lower] = [value(one), base && value(base)];
    return upper === undefined || lower === undefined || lower === 0 ? [] : [{ upper, lower }];
  });
  if (pairs.length === 0) return undefined;
  return medianRatio(
    pairs.map(({ upper }) => upper),
    pairs.map(({ lower }) => lower),
  );
}

const times = (ratio: number | undefined): string => (ratio === undefined ? '–' : `${ratio.toFixed(2)}×`);

function renderPairs(pairs: readonly PairResult[]): string {
  const rows = pairs.map(({ name, claim, slowMicros, fastMicros, ratio }) => [
    name,
    claim,
    slowMicros.toFixed(0),
    fastMicros.toFixed(0),
    times(ratio),
  ]);
  return renderTable(['', 'the guide says', 'before, µs', 'after, µs', 'time'], rows);
}
