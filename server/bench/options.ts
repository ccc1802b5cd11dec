import { Command, InvalidArgumentError, Option } from 'commander';

import { groups } from './lines.ts';

export interface BenchOptions {
  readonly only?: string;
  readonly seconds: number;
  readonly rounds: number;
}

function whole(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}$/u.test(text) ? Number(text) : 0;
    if (value < 1 || value > max) throw new InvalidArgumentError(`Must be a whole number from 1 to ${max}.`);
    return value;
  };
}

/** Throws commander's error for what cannot be used; `--help` is one, too, with exit code 0. */
export function readOptions(args: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description('Measures the lines of the reach table, and writes them into docs/performance.md.')
    .addOption(new Option('--only <name>', 'one group of lines; then nothing is written').choices([...groups]))
    .option('--seconds <number>', 'length of one measurement', whole(600), 5)
    .option('--rounds <number>', 'how often each side has its turn; the medians count', whole(100), 5)
    .addOption(new Option('--quick', 'a look: two seconds, three rounds').implies({ seconds: 2, rounds: 3 }))
    .exitOverride();
  return program.parse(args, { from: 'user' }).opts<BenchOptions>();
}
