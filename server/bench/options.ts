import { Command, InvalidArgumentError, Option } from 'commander';

import { callNames, type CallName } from './calls.ts';
import { groups } from './lines.ts';

export const realtimeParts = ['fanout', 'memory', 'sends', 'feed', 'latency', 'reconnect'] as const;
export type RealtimePart = (typeof realtimeParts)[number];

export interface BenchOptions {
  readonly only?: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly calls: readonly CallName[];
  readonly parts: readonly RealtimePart[];
  readonly connections: readonly number[];
  readonly rates: readonly number[];
  readonly processes: readonly number[];
  readonly pairs: boolean;
  readonly beside?: string;
  readonly json?: string;
  readonly duration: number;
}

function whole(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}$/u.test(text) ? Number(text) : 0;
    if (value < 1 || value > max) throw new InvalidArgumentError(`Must be a whole number from 1 to ${max}.`);
    return value;
  };
}

/** Numbers separated by commas; empty text is an empty list. */
function wholes(max: number): (text: string) => number[] {
  return (text) => (text === '' ? [] : text.split(',').map(whole(max)));
}

/** Some of these names, separated by commas. */
function some<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return (text) =>
    (text === '' ? [] : text.split(',')).map((part) => {
      const name = names.find((one) => one === part);
      if (name === undefined) throw new InvalidArgumentError(`Must be some of ${names.join()}.`);
      return name;
    });
}

/** Throws commander's error for bad options, and for `--help`, with exit code 0. */
export function readOptions(args: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description('Measures the lines of the reach table, and writes them into docs/performance.md.')
    .addOption(
      new Option(
        '--only <name>',
        'one group of lines, `cost`, `budget`, `messages`, `realtime`, `search` or `stress`; then nothing is written',
      ).choices([...groups, 'cost', 'budget', 'messages', 'realtime', 'search', 'stress']),
    )
    .option('--seconds <number>', 'length of one measurement', whole(600), 5)
    .option('--rounds <number>', 'rounds per side; the result is their median', whole(100), 5)
    .addOption(new Option('--quick', 'a short run: two seconds, three rounds').implies({ seconds: 2, rounds: 3 }))
    .optionsGroup('Of --only cost and budget (--beside of stress, too):')
    .option('--calls <names>', `closed loops of ${callNames.join()}`, some(callNames), [...callNames])
    .option('--connections <numbers>', 'of the closed loops', wholes(10_000), [1, 8, 64, 512])
    .option('--rates <numbers>', 'requests per second of open loops', wholes(100_000), [800, 2_500])
    .option('--no-pairs', 'without PUTs to one row and GETs on new connections')
    .option('--processes <numbers>', 'of each server', wholes(64), [1, 2])
    .option('--beside <folder>', 'another checkout that is measured, too')
    .option('--json <file>', 'where all samples are written to')
    .option('--duration <seconds>', "of the guide's stress run", whole(600), 120)
    .optionsGroup('Of --only realtime:')
    .option('--parts <names>', realtimeParts.join(), some(realtimeParts), [...realtimeParts])
    .exitOverride();
  return program.parse(args, { from: 'user' }).opts<BenchOptions>();
}
