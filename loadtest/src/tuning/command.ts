import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Command } from 'commander';

import type { Io } from '../io.ts';
import { number } from '../options.ts';
import { UsageError } from '../usage-error.ts';
import { ablate, after, before, messenger, optimisations, type Configuration } from './configurations.ts';
import { replaceMarked } from './marked-section.ts';
import { measureQueryPairs, type PairResult } from './query-pairs.ts';
import { rotate } from './statistics.ts';
import { renderFindings, type Findings } from './tables.ts';
import { visit, type Effort, type Visit } from './visit.ts';

interface Flags {
  readonly quick: boolean;
  readonly capacity: boolean;
  readonly rounds: number;
  readonly rate: number;
  readonly p99: number;
  readonly page: string;
}

const compared = [before, after, messenger];
const all = [...compared, ...optimisations.map(ablate)];

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** `npm run bench:tuning`. */
export function addTuningCommand(program: Command, io: Io): Command {
  return program
    .command('tuning')
    .description("Measures the guide's settings against each other, and writes the tables into a page.")
    .option('--quick', 'under ten minutes, and labelled so', false)
    .option('--no-capacity', 'without the capacities, which need an idle machine')
    .option('--rounds <count>', 'how often each configuration is measured', number(3, 99, true), 3)
    .option('--rate <users>', 'users per second of the common load', number(1, 10_000, true), 100)
    .option('--p99 <ms>', 'the highest 99th percentile of a rate that counts as held', number(1, 60_000, true), 500)
    .option('--page <file>', 'the page to write the tables into', join(root, 'docs/performance.md'))
    .action(async (flags: Flags) => writeFindings(flags, io));
}

async function writeFindings(flags: Flags, io: Io): Promise<void> {
  refuseForeignServer(io.env);
  const old = await readPage(flags.page);
  replaceMarked(old, ''); // Fails now, not after an hour.
  const content = renderFindings(await measureAll(flags, io));
  await writeFile(flags.page, replaceMarked(await readPage(flags.page), content));
  io.out.write(`${content}\n\nWritten into ${flags.page}\n`);
}

function refuseForeignServer(env: Io['env']): void {
  const set = Object.keys(env).filter((name) => /^DB_(?:WRITE|READ)_/u.test(name));
  if (set.length > 0) throw new UsageError(`The benchmark configures its own servers; unset ${set.join(', ')}.`);
}

async function readPage(page: string): Promise<string> {
  return await readFile(page, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${page} cannot be read.`, { cause });
  });
}

async function measureAll(flags: Flags, io: Io): Promise<Findings> {
  const { quick, rounds, capacity } = flags;
  // A quick run has no time for the capacities of the ablations.
  const pressed = !capacity ? [] : quick ? compared : all;
  const folder = await mkdtemp(join(tmpdir(), 'messenger-tuning-'));
  try {
    await chmod(folder, 0o755); // Started as root, the databases run as another user, who must be able to enter.
    const effort = effortOf(flags);
    const found: Visit[][] = [];
    let pairs: PairResult[] = [];
    const useAfter = async (dataDir: string): Promise<void> => {
      pairs = await measureQueryPairs(dataDir);
    };
    for (let round = 0; round < rounds; round++) {
      io.out.write(`round ${round + 1} of ${rounds}\n`);
      const isLast = round === rounds - 1;
      found.push(await measureRound(round, { folder, effort, pressed, useAfter: isLast ? useAfter : undefined, io }));
    }
    return { isQuick: quick, effort, rounds: found, pairs, circumstances: describeCircumstances() };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

function effortOf({ quick, rate: usersPerSecond, p99: p99Ms }: Flags): Effort {
  return quick
    ? { usersPerSecond, loadSeconds: 3, warmUpSeconds: 1, stepSeconds: 2, precision: 1.19, p99Ms }
    : { usersPerSecond, loadSeconds: 20, warmUpSeconds: 3, stepSeconds: 8, precision: 1.05, p99Ms };
}

interface Round {
  readonly folder: string;
  readonly effort: Effort;
  /** Those whose capacity is measured. */
  readonly pressed: readonly Configuration[];
  /** Uses the server of `After`; the rows that it adds would change a further round. */
  readonly useAfter: ((dataDir: string) => Promise<void>) | undefined;
  readonly io: Io;
}

async function measureRound(round: number, { folder, effort, pressed, useAfter, io }: Round): Promise<Visit[]> {
  const visits: Visit[] = [];
  for (const configuration of rotate(all, round)) {
    io.stopping.throwIfAborted();
    const withCapacity = pressed.includes(configuration);
    const use = configuration === after ? useAfter : undefined;
    const one = await visit(configuration, { root: folder, effort, withCapacity, interrupts: io, use });
    visits.push(one);
    io.out.write(`${renderVisit(one)}\n`);
  }
  return visits;
}

function renderVisit({ configuration, load, cpu, capacity }: Visit): string {
  const parts = [
    configuration.padEnd(40),
    `p99 ${load.p99Ms.toFixed(1)} ms`,
    `${load.failed} of ${load.count} failed`,
    cpu === undefined ? '' : `CPU ${cpu.serverMicros.toFixed(0)} + ${cpu.databasesMicros.toFixed(0)} µs`,
    capacity === undefined ? '' : `capacity ${capacity.toFixed(0)}/s`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

function describeCircumstances(): string[] {
  const cores = cpus();
  return [
    new Date().toISOString().slice(0, 10),
    `commit ${currentCommit()}`,
    `${cores[0]?.model ?? 'unknown CPU'}, ${cores.length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `Node ${process.versions.node}, load generator and both databases on the same machine`,
  ];
}

function currentCommit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
}
