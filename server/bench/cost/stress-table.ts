import { median, medianRatio } from '../statistics.ts';
import { alignColumns } from './table.ts';

/** The used part of a load test's report; its contract is loadtest/src/report.ts. */
export interface StressReport {
  readonly total: { readonly count: number; readonly failed: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly phases: readonly { readonly fromSecond: number; readonly toSecond: number; readonly p99Ms: number }[];
  readonly system?: { readonly serverCpuMs: number; readonly databasesCpuMs: number };
  readonly generator: { readonly cpuMs: number; readonly lateStartsP99Ms: number };
}

export interface StressSide {
  readonly name: string;
  /** One per round. */
  readonly reports: readonly StressReport[];
}

interface Line {
  readonly title: string;
  readonly digits: number;
  readonly of: (report: StressReport) => number;
  /** Ours ÷ the other checkout's; undefined: no target. */
  readonly atMost?: number;
}

function phaseP99(index: number): Line['of'] {
  return ({ phases }) => phases[index]?.p99Ms ?? Number.NaN;
}

const lines: readonly Line[] = [
  { title: 'requests', digits: 0, of: ({ total }) => total.count },
  { title: 'failed', digits: 0, of: ({ total }) => total.failed },
  {
    title: 'CPU µs per request',
    digits: 0,
    of: ({ system, total }) =>
      ((system?.serverCpuMs ?? Number.NaN) + (system?.databasesCpuMs ?? Number.NaN)) *
      (1_000 / (total.count - total.failed)),
    atMost: 0.5,
  },
  {
    title: '  of the server',
    digits: 0,
    of: ({ system, total }) => ((system?.serverCpuMs ?? Number.NaN) * 1_000) / total.count,
  },
  {
    title: '  of the databases',
    digits: 0,
    of: ({ system, total }) => ((system?.databasesCpuMs ?? Number.NaN) * 1_000) / total.count,
  },
  { title: '  of the load test', digits: 0, of: ({ generator, total }) => (generator.cpuMs * 1_000) / total.count },
  { title: 'p50 ms', digits: 2, of: ({ total }) => total.p50Ms },
  { title: 'p99 ms', digits: 1, of: ({ total }) => total.p99Ms },
  { title: 'p99 ms, first quiet phase', digits: 1, of: phaseP99(0), atMost: 0.6 },
  { title: 'p99 ms, full phase', digits: 1, of: phaseP99(1), atMost: 0.5 },
  { title: 'p99 ms, last quiet phase', digits: 1, of: phaseP99(2), atMost: 0.6 },
  { title: 'p99 ms by which the generator was late', digits: 1, of: ({ generator }) => generator.lateStartsP99Ms },
];

function cellsOf({ title, digits, of, atMost }: Line, [ours, other]: readonly StressSide[]): string[] {
  const figures = (side: StressSide | undefined): number[] => (side?.reports ?? []).map(of);
  const show = (side: StressSide | undefined): string =>
    side === undefined ? '' : median(figures(side)).toFixed(digits);
  if (other === undefined || atMost === undefined) return [title, show(ours), show(other), '', '', ''];
  const ratio = medianRatio(figures(ours), figures(other));
  return [title, show(ours), show(other), ratio.toFixed(2), `≤ ${atMost}`, ratio <= atMost ? 'reached' : 'missed'];
}

/** Medians of the rounds and, with another checkout, the median of the ratios within rounds. Ours is the first side. */
export function renderStress(sides: readonly StressSide[]): string {
  const head = ['', ...['', ''].map((_, index) => sides[index]?.name ?? ''), 'ratio', 'wanted', ''];
  return alignColumns([head, ...lines.map((line) => cellsOf(line, sides))], [0, 5]);
}
