import { fileURLToPath } from 'node:url';

import { childrenOf } from '../../test/start-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { LoadGenerator } from '../load.ts';
import { describeRun } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import { prepare, settle } from '../prepare.ts';
import { cpuUsOf, mainThreadUsOf } from '../process-cpu.ts';
import { cellsOf, type Cell } from './cells.ts';
import { SharedDatabases } from './databases.ts';
import { load, type Bench } from './measure.ts';
import { partNames, parts, type Part } from './samples.ts';
import { startMessenger, type Side } from './sides.ts';
import { alignColumns } from './table.ts';

const profiler = fileURLToPath(new URL('profile-worker.ts', import.meta.url));
const profileMs = 30_000;

/** CPU microseconds per request, by part; the sum is what was measured. */
type Budget = ReadonlyMap<string, number>;

/** `npm run bench -- --only budget`: where the CPU of a request goes, in one worker and both databases. */
export async function benchBudget(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const databases = await SharedDatabases.start();
  try {
    await prepare(databases.endpoints, ...settle);
    const side = await startMessenger(1, databases.endpoints, { env: { NODE_OPTIONS: `--import ${profiler}` } });
    const generator = LoadGenerator.start(signal);
    try {
      const cells = cellsOf({ ...options, rates: [], pairs: false });
      const budgets: Budget[] = [];
      for (const cell of cells)
        budgets.push(await budgetOf(cell, side, { databases, generator, seconds: options.seconds }));
      console.log(`${describeRun(new Date())}. CPU µs per request.\n\n${render(cells, budgets)}`);
    } finally {
      generator.stop();
      await side.stop();
    }
  } finally {
    await databases.stop();
  }
}

async function budgetOf(cell: Cell, side: Side, bench: Bench): Promise<Budget> {
  const [worker = 0] = childrenOf(side.pid);
  const read = () => ({
    main: mainThreadUsOf(worker),
    worker: cpuUsOf([worker]),
    server: cpuUsOf([side.pid]),
    primary: cpuUsOf(bench.databases.postmasters.slice(0, 1)),
    databases: cpuUsOf(bench.databases.postmasters),
  });
  // V8 compiles what is hot.
  await load(cell, side, { ...bench, seconds: bench.seconds * 2 }, () => 0);
  const { report, before, after } = await load(cell, side, bench, read);
  const per = (key: keyof typeof before): number => (after[key] - before[key]) / report.requests;
  return new Map([
    ...splitMain(per('main'), await profile(cell, side, bench, worker)),
    ["V8's helper threads: collection, compiler", per('worker') - per('main')],
    ['supervisor', per('server') - per('worker')],
    ['primary', per('primary')],
    ['standby', per('databases') - per('primary')],
  ]);
}

type Samples = Partial<Record<Part, number>>;

async function profile(cell: Cell, side: Side, bench: Bench, worker: number): Promise<Samples> {
  const earlier = side.output().length;
  await load(cell, side, bench, () => process.kill(worker, 'SIGUSR2'));
  const line = (): string | undefined => /^samples (?<json>.*)$/mu.exec(side.output().slice(earlier))?.groups?.['json'];
  await waitFor('the profile', () => line() !== undefined, profileMs);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What profile-worker.ts writes.
  return JSON.parse(line() ?? '') as Samples;
}

/** Samples are shares of the CPU of a run without profiler. */
function splitMain(mainUs: number, samples: Samples): [string, number][] {
  const total = Object.values(samples).reduce((sum, count) => sum + count, 0);
  return partNames.map((part) => [parts[part], ((samples[part] ?? 0) / total) * mainUs]);
}

function render(cells: readonly Cell[], budgets: readonly Budget[]): string {
  const titles = [...(budgets[0]?.keys() ?? [])];
  const rows = titles.map((title) => [title, ...budgets.map((budget) => (budget.get(title) ?? 0).toFixed(1))]);
  const sums = budgets.map((budget) => [...budget.values()].reduce((sum, us) => sum + us, 0).toFixed(1));
  return alignColumns([['', ...cells.map(({ title }) => title)], ...rows, ['sum', ...sums]], [0]);
}
