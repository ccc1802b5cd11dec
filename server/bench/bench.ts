/**
 * `npm run bench`: the reach table, or with `--only` the cost of requests, its parts, or the guide's stress run. Exit code 0 if
 * the measurement completed, whatever its result.
 */
import { readFileSync, writeFileSync } from 'node:fs';

import { benchBudget } from './cost/budget.ts';
import { benchCost } from './cost/cost.ts';
import { benchStress } from './cost/stress.ts';
import { runInterruptibly } from './interruptible.ts';
import { lines, type Line, type Source } from './lines.ts';
import { describeRun } from './machine.ts';
import { benchMessages } from './messages.ts';
import { readOptions, type BenchOptions } from './options.ts';
import { findPgbench } from './pgbench.ts';
import { keyOf, measureRounds } from './rounds.ts';
import { benchRealtime } from './realtime.ts';
import { benchSearch } from './search.ts';
import { judge, putIntoPage, renderResults, renderSamples } from './table.ts';

const page = new URL('../../docs/performance.md', import.meta.url);

/** Each source once, in the order of the lines; those of one call are adjacent. */
function sourcesOf(wanted: readonly Line[], hasPgbench: boolean): Source[] {
  const all = wanted.flatMap(({ left, right }) => [left, right]).filter(({ on }) => on !== 'pgbench' || hasPgbench);
  const byKey = new Map(all.map((source) => [keyOf(source), source]));
  return [...byKey.values()].toSorted((a, b) => a.call.localeCompare(b.call));
}

async function bench({ only, seconds, rounds }: BenchOptions, signal: AbortSignal): Promise<void> {
  const wanted = lines.filter(({ group }) => only === undefined || group === only);
  const pgbench = findPgbench();
  const tell = (progress: string): void => console.error(progress);
  const sources = sourcesOf(wanted, pgbench !== undefined);
  const samples = await measureRounds(sources, { rounds, seconds, pgbench, signal, tell });
  const results = wanted.map((line) => judge(line, samples));
  const how = `${describeRun(new Date())}. 64 connections, medians of ${rounds} rounds of ${seconds} s, sides in turn.`;
  const text = [how, renderResults(results, samples), renderSamples(samples)].join('\n\n');
  console.log(text);
  if (only === undefined) writeFileSync(page, putIntoPage(readFileSync(page, 'utf8'), text));
}

await runInterruptibly(async (signal) => {
  const options = readOptions(process.argv.slice(2));
  if (options.only === 'cost') await benchCost(options, signal);
  else if (options.only === 'budget') await benchBudget(options, signal);
  else if (options.only === 'messages') await benchMessages(options, signal);
  else if (options.only === 'realtime') await benchRealtime(options, signal);
  else if (options.only === 'stress') await benchStress(options, signal);
  else if (options.only === 'search') await benchSearch(options, signal);
  else await bench(options, signal);
});
