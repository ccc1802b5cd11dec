/**
 * `npm run bench -- --only cost`: the cost of requests; `budget`: its parts; `stress`: the guide's stress run. Exit code 0 if the
 * measurement completed, whatever its result.
 */
import { benchBudget } from './cost/budget.ts';
import { benchCost } from './cost/cost.ts';
import { benchStress } from './cost/stress.ts';
import { runInterruptibly } from './interruptible.ts';
import { readOptions } from './options.ts';

await runInterruptibly(async (signal) => {
  const options = readOptions(process.argv.slice(2));
  if (options.only === 'cost') await benchCost(options, signal);
  else if (options.only === 'budget') await benchBudget(options, signal);
  else await benchStress(options, signal);
});
