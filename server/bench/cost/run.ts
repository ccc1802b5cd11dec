import { LoadGenerator } from '../load.ts';
import { prepare, settle } from '../prepare.ts';
import type { Cell } from './cells.ts';
import { SharedDatabases } from './databases.ts';
import { measure, takeCensus, type Bench, type Census, type Sample } from './measure.ts';
import { startFloor, startMessenger, type Side, type SideKind } from './sides.ts';

export interface CostOptions {
  readonly cells: readonly Cell[];
  readonly processes: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** The folder of another checkout that is measured, too. */
  readonly beside: string | undefined;
  readonly signal: AbortSignal;
  readonly tell: (progress: string) => void;
}

/** The results of a cell on a side. */
export interface Measured {
  readonly cell: string;
  readonly kind: SideKind;
  readonly processes: number;
  /** One per round. */
  readonly samples: Sample[];
  census: Census | undefined;
}

interface Started {
  readonly stop: () => Promise<void> | void;
}

/** The expected duration in seconds. */
export function secondsOf({ cells, processes, seconds, rounds, beside }: Omit<CostOptions, 'signal' | 'tell'>): number {
  const overhead = 0.7;
  const sides = processes.length * (beside === undefined ? 2 : 3);
  return 15 + sides * 5 + sides * cells.length * (rounds + 2) * (seconds + overhead);
}

/** Measures each cell on each side once per round, all sides in succession. Leaves nothing running, also when the signal aborts. */
export async function measureCost(options: CostOptions): Promise<Measured[]> {
  const started: Started[] = [];
  const keep = <One extends Started>(one: One): One => {
    started.push(one);
    return one;
  };
  try {
    const databases = keep(await SharedDatabases.start());
    await prepare(databases.endpoints, ...settle);
    await databases.countStatements(true);
    await databases.countStatements(false);
    const sides: Side[] = [];
    for await (const side of startSides(options, databases)) sides.push(keep(side));
    const generator = keep(LoadGenerator.start(options.signal));
    return await measureAll(sides, { databases, generator, seconds: options.seconds }, options);
  } finally {
    for (const one of started.toReversed()) await one.stop();
  }
}

async function* startSides({ processes, beside }: CostOptions, databases: SharedDatabases): AsyncGenerator<Side> {
  // Another checkout may have another schema.
  const other = beside === undefined ? undefined : await databases.createDatabase('beside');
  for (const count of processes) {
    yield await startFloor(count, databases.endpoints);
    yield await startMessenger(count, databases.endpoints);
    if (other === undefined) continue;
    yield await startMessenger(count, other, { checkout: beside });
    if (count === processes[0]) await prepare(other, ...settle);
  }
}

async function measureAll(sides: readonly Side[], bench: Bench, options: CostOptions): Promise<Measured[]> {
  const { cells, rounds, signal, tell } = options;
  const places = cells.flatMap((cell) => sides.map((side) => ({ cell, side, measured: nothingYet(cell, side) })));
  // Round 0 does not count: it warms up code, connections and plans.
  for (let round = 0; round <= rounds; round += 1) {
    tell(`round ${round} of ${rounds}`);
    // The order alternates, so that no side has an advantage.
    for (const { cell, side, measured } of round % 2 === 1 ? places : places.toReversed()) {
      signal.throwIfAborted();
      const sample = await measure(cell, side, bench);
      if (round > 0) measured.samples.push(sample);
    }
  }
  tell('counting statements and system calls');
  await bench.databases.countStatements(true);
  for (const { cell, side, measured } of places) {
    signal.throwIfAborted();
    measured.census = await takeCensus(cell, side, bench);
  }
  return places.map(({ measured }) => measured);
}

function nothingYet(cell: Cell, { kind, processes }: Side): Measured {
  return { cell: cell.title, kind, processes, samples: [], census: undefined };
}
