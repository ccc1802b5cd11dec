import { median, medianRatio } from '../statistics.ts';
import { pairs } from './cells.ts';
import type { Sample } from './measure.ts';
import type { Measured } from './run.ts';
import type { SideKind } from './sides.ts';

/** The compared values of a sample. CPU is that of server and databases. */
const figures = {
  perSecond: (sample: Sample) => sample.perSecond,
  p50Ms: (sample: Sample) => sample.p50Ms,
  cpuUs: (sample: Sample) => sample.serverUs + sample.databaseUs,
} as const;
export type Figure = keyof typeof figures;

export interface Verdict {
  readonly title: string;
  readonly wanted: string;
  /** The ratio; of several, the worst. */
  readonly ratio: number;
  /** The number of ratios, and of those that reach the target. */
  readonly reached: number;
  readonly of: number;
  /** The cell and processes of the worst. */
  readonly worst: string;
}

interface Target {
  readonly title: string;
  readonly figure: Figure;
  readonly target: { readonly atLeast: number } | { readonly atMost: number };
  /** The compared cells; none if the run omitted them. */
  readonly compared: (all: readonly Measured[]) => readonly Compared[];
}

interface Compared {
  readonly left: Measured;
  readonly right: Measured;
}

/** The median of the ratios of rounds. */
export function ratioOf({ left, right }: Compared, figure: Figure): number {
  return medianRatio(left.samples.map(figures[figure]), right.samples.map(figures[figure]));
}

export function medianOf({ samples }: Measured, figure: keyof Sample): number {
  return median(samples.map((sample) => sample[figure]));
}

/** The other side of the same cell, with the same number of processes. */
export function counterpart(
  all: readonly Measured[],
  { cell, processes }: Measured,
  kind: SideKind,
): Measured | undefined {
  return all.find((one) => one.kind === kind && one.cell === cell && one.processes === processes);
}

function ours(all: readonly Measured[]): Measured[] {
  return all.filter(({ kind }) => kind === 'messenger');
}

/** Our cells of the grid beside those of another side. `isWanted` gets call and connections. */
function against(kind: SideKind, isWanted: (call: string, connections: number, processes: number) => boolean) {
  return (all: readonly Measured[]): Compared[] =>
    ours(all).flatMap((left) => {
      const [, call = '', connections] = /^(\w+) (\d+)$/u.exec(left.cell) ?? [];
      const right = counterpart(all, left, kind);
      const isMeant = right !== undefined && call !== '' && isWanted(call, Number(connections), left.processes);
      return isMeant ? [{ left, right }] : [];
    });
}

/** One of our cells beside another of our cells. */
function pair({ left: leftCell, right: rightCell }: (typeof pairs)[number]) {
  return (all: readonly Measured[]): Compared[] =>
    ours(all).flatMap((left) => {
      const right = ours(all).find(({ cell, processes }) => cell === rightCell && processes === left.processes);
      return left.cell === leftCell && right !== undefined ? [{ left, right }] : [];
    });
}

/** The targets of docs/performance.md. */
const targets: readonly Target[] = [
  ...[1, 2].flatMap((count): Target[] => [
    {
      title: `requests/s ÷ floor, ${count} each`,
      figure: 'perSecond',
      target: { atLeast: 0.8 },
      compared: against('floor', (_call, _connections, processes) => processes === count),
    },
    {
      title: `CPU ÷ floor, ${count} each`,
      figure: 'cpuUs',
      target: { atMost: 1.3 },
      compared: against('floor', (_call, _connections, processes) => processes === count),
    },
  ]),
  {
    title: 'p50 at one connection ÷ floor',
    figure: 'p50Ms',
    target: { atMost: 1.25 },
    compared: against('floor', (_call, connections) => connections === 1),
  },
  { title: 'new connection ÷ open one, CPU', figure: 'cpuUs', target: { atMost: 2 }, compared: pair(pairs[1]) },
  {
    title: 'post, put at 64 ÷ beside',
    figure: 'perSecond',
    target: { atLeast: 1.8 },
    compared: against('beside', (call, connections) => ['post', 'put'].includes(call) && connections === 64),
  },
  { title: 'one row ÷ spread', figure: 'perSecond', target: { atLeast: 0.5 }, compared: pair(pairs[0]) },
];

function judge({ title, figure, target, compared }: Target, all: readonly Measured[]): Verdict[] {
  const ratios = compared(all).map((both) => ({ ratio: ratioOf(both, figure), left: both.left }));
  // Above 1 the target is missed.
  const miss = (ratio: number): number => ('atLeast' in target ? target.atLeast / ratio : ratio / target.atMost);
  const [worst] = ratios.toSorted((a, b) => miss(b.ratio) - miss(a.ratio));
  if (worst === undefined) return [];
  return [
    {
      title,
      wanted: 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`,
      ratio: worst.ratio,
      reached: ratios.filter(({ ratio }) => miss(ratio) <= 1).length,
      of: ratios.length,
      worst: `${worst.left.cell} (${worst.left.processes})`,
    },
  ];
}

/** For each target that the run has measured. */
export function verdictsOf(all: readonly Measured[]): Verdict[] {
  return targets.flatMap((target) => judge(target, all));
}
