import { writeFileSync } from 'node:fs';

import { describeRun } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import { cellsOf } from './cells.ts';
import { measureCost, secondsOf } from './run.ts';
import { renderCost, renderVerdicts } from './table.ts';
import { verdictsOf } from './verdicts.ts';

/** `npm run bench -- --only cost`: the cost of a request here, at the floor and in another checkout. */
export async function benchCost(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const { processes, seconds, rounds, beside, json } = options;
  const run = { cells: cellsOf(options), processes, seconds, rounds, beside };
  console.error(`${run.cells.length} cells take about ${Math.ceil(secondsOf(run) / 60)} minutes`);
  const tell = (progress: string): void => console.error(progress);
  const measured = await measureCost({ ...run, signal, tell });
  const how = `${describeRun(new Date())}. Medians of ${rounds} rounds of ${seconds} s, sides in turn, durable.`;
  if (json !== undefined) writeFileSync(json, JSON.stringify({ how, measured }));
  console.log([how, renderCost(measured), renderVerdicts(verdictsOf(measured))].join('\n\n'));
}
