import { Command, CommanderError } from 'commander';

import { chatAssertions, defaultAssertions, parseAssertions, type Assertion } from './assertions.ts';
import { findCapacity } from './capacity.ts';
import type { ServerOptions } from './load-test.ts';
import { loadTypes } from './load-types.ts';
import { options } from './options.ts';
import { runLoadTest } from './run.ts';
import type { Io } from './io.ts';
import { readToken } from './token.ts';
import { addTuningCommand } from './tuning/command.ts';
import { UsageError } from './usage-error.ts';

const exitCodes = { passed: 0, missed: 1, unusable: 2, interrupted: 130 } as const;

/**
 * Runs one command; the arguments after the first `--` go to the server that it starts. Resolves with the exit code: 0 when
 * all assertions hold, 1 when one is missed, 2 without a server or with a wrong option, 130 after Ctrl-C.
 */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  let exitCode: number = exitCodes.passed;
  const program = createProgram(args.slice(end + 1), io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args.slice(0, end), { from: 'user' });
  } catch (error) {
    exitCode = explain(error, io);
  }
  return io.stopping.aborted ? exitCodes.interrupted : exitCode;
}

function explain(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.passed : exitCodes.unusable;
  if (io.stopping.aborted) return exitCodes.interrupted;
  if (!(error instanceof UsageError)) throw error;
  io.err(`${error.message}\n`);
  return exitCodes.unusable;
}

interface SharedFlags {
  readonly baseUrl: string;
  readonly tokenFile?: string;
  readonly allowRemote: boolean;
  readonly start: boolean;
  readonly processes: number;
  readonly deadline: number;
  readonly reportDir: string;
}

interface RunFlags extends SharedFlags {
  readonly type: keyof typeof loadTypes;
  readonly users: number;
  readonly duration: number;
  readonly checks: 'strict' | 'guide';
  readonly assert?: readonly Assertion[];
  readonly peopleFile?: string;
  readonly database?: string;
}

interface CapacityFlags extends SharedFlags {
  readonly p99: number;
  readonly stepSeconds: number;
  readonly from: number;
}

function createProgram(server: readonly string[], io: Io, setExitCode: (code: number) => void): Command {
  const program = new Command('loadtest').description('Puts load on a Messenger server, and checks its answers.');
  const run = program
    .command('run', { isDefault: true })
    .description('One run (the default command).')
    .addHelpText('after', `\nTypes:\n${describeTypes()}`)
    .action(async (flags: RunFlags) => {
      const shared = sharedOptions(flags, server, io);
      const { type, users, duration: durationSeconds, checks, peopleFile, database } = flags;
      const assertions = flags.assert ?? parseAssertions(type === 'chat' ? chatAssertions : defaultAssertions);
      const chosen = { type, users, durationSeconds, checks, assertions, peopleFile, database };
      const report = await runLoadTest({ ...shared, ...chosen }, io, io.out);
      setExitCode(report.verdict === 'passed' ? exitCodes.passed : exitCodes.missed);
    });
  const capacity = program
    .command('capacity')
    .description("Finds the highest rate of users, each with the guide's five requests, that holds a target.")
    .action(async (flags: CapacityFlags) => {
      const { p99: p99Ms, from: fromRate, stepSeconds } = flags;
      const shared = sharedOptions(flags, server, io);
      const found = await findCapacity({ ...shared, p99Ms, fromRate, stepSeconds }, io, io.out);
      setExitCode(found.usersPerSecond > 0 ? exitCodes.passed : exitCodes.missed);
    });
  const { baseUrl, tokenFile, allowRemote, start, processes, deadline, reportDir } = options;
  const shared = [baseUrl, tokenFile, allowRemote, start, processes, deadline, reportDir];
  for (const one of [
    options.type,
    options.users,
    options.duration,
    options.checks,
    options.assert,
    options.peopleFile,
    options.database,
    ...shared,
  ])
    run.addOption(one);
  for (const one of [options.p99, options.from, options.stepSeconds, ...shared]) capacity.addOption(one);
  const tuning = addTuningCommand(program, io);
  for (const one of [program, run, capacity, tuning])
    one.exitOverride().configureOutput({ writeOut: io.out.write, writeErr: io.err });
  return program;
}

function sharedOptions(
  { baseUrl, tokenFile, allowRemote, start, processes, deadline, reportDir }: SharedFlags,
  server: readonly string[],
  { env }: Io,
): ServerOptions & { readonly processes: number; readonly deadlineMs: number } {
  if (!start && server.length > 0)
    throw new UsageError(`"${server.join(' ')}" after -- are options of a server to start; add --start.`);
  const token = readToken(tokenFile, env);
  if (start && token !== undefined)
    throw new UsageError('A server that --start starts has no sessions: a token is for a server that runs.');
  const deadlineMs = deadline * 1000;
  return { baseUrl, token, allowRemote, start: start ? server : undefined, processes, deadlineMs, reportDir };
}

function describeTypes(): string {
  return Object.entries(loadTypes)
    .map(([name, { about }]) => `  ${name.padEnd(11)} ${about}`)
    .join('\n');
}
