import { Option, type Command } from 'commander';

import { detectMachine, systemFacts, type Machine } from '../tuning/machine.ts';
import { maxWorkers } from '../tuning/memory.ts';
import { showMemorySize } from '../tuning/memory-size.ts';
import { tunePools } from '../tuning/pools.ts';
import { tunePostgres } from '../tuning/postgres.ts';
import type { Durability, Profile } from '../tuning/profile.ts';
import { adviceFormats, renderAdvice, type AdviceFormat } from '../tuning/render.ts';
import { example } from './config-flags.ts';
import type { Io } from './io.ts';
import { count, machineFlags, type MachineFlags } from './machine-flags.ts';

interface TuneFlags extends MachineFlags {
  readonly workers?: number;
  readonly instances: number;
  readonly durability: Durability;
  readonly format: AdviceFormat;
}

/** Adds `messenger tune`, which only computes and prints: it neither connects nor changes anything. */
export function addTuneCommand(program: Command, io: Io): void {
  const command = program
    .command('tune')
    .description('Print PostgreSQL settings and pool sizes for a machine, each with its reason.');
  const otherwise = { memory: 'that of this machine', cpus: 'those of this machine', storage: "this folder's" };
  for (const option of machineFlags(otherwise)) command.addOption(option);
  command
    .option(
      '--workers <count>',
      'workers of one Messenger instance; default: one per core, as far as their connections fit',
      count(maxWorkersOfInstance),
    )
    .option('--instances <count>', 'Messenger instances on these databases', count(1000), 1)
    .addOption(
      choice('--durability <kind>', 'acknowledged writes are on disk (on), not yet (off), or also on a standby', [
        'on',
        'off',
        'standby',
      ]).default('on'),
    )
    .addOption(choice('--format <format>', 'output format', adviceFormats).default('conf'))
    .addHelpText('after', example('messenger tune --memory 16GB --workers 8 > tuned.conf'))
    .action(async (flags: TuneFlags) => io.out(tune(flags, await detectMachine(systemFacts('.')))));
}

/** The output for these flags on this machine. */
function tune(flags: TuneFlags, machine: Machine): string {
  const profile = completeProfile(flags, machine);
  const advice = {
    profile: describeProfile(profile, flags, machine),
    memoryBytes: profile.memoryBytes,
    settings: tunePostgres(profile),
    options: tunePools(profile),
  };
  return renderAdvice(advice, flags.format);
}

function completeProfile(flags: TuneFlags, machine: Machine): Profile {
  const { instances, durability } = flags;
  const cpus = flags.cpus ?? machine.cpus;
  const memoryBytes = flags.memory ?? machine.memoryBytes;
  return {
    memoryBytes,
    cpus,
    workers: flags.workers ?? Math.min(cpus, maxWorkersOfInstance, maxWorkers({ memoryBytes, cpus, instances })),
    instances,
    storage: flags.storage ?? machine.storage ?? 'ssd',
    durability,
  };
}

const maxWorkersOfInstance = 256;

/** The input, printed above the settings so that a wrong guess is visible. */
function describeProfile(profile: Profile, flags: TuneFlags, machine: Machine): string[] {
  const { memoryBytes, cpus, workers, instances, storage, durability } = profile;
  return [
    `memory ${showMemorySize(memoryBytes)}${sourceOf(flags.memory)} · cpus ${cpus}${sourceOf(flags.cpus)} · ` +
      `storage ${storage}${flags.storage === undefined ? storageSource(machine) : ''}`,
    `workers ${workers}${flags.workers === undefined ? sourceOfWorkers(profile) : ''} · instances ${instances} · durability ${durability}`,
    'Memory and cpus are those of one dedicated database server. If it shares a machine, give its share.',
  ];
}

function sourceOf(flag: number | undefined): string {
  return flag === undefined ? ' (detected here)' : '';
}

function sourceOfWorkers({ workers, cpus }: Profile): string {
  return workers === cpus ? ' (one per core)' : ' (as many as the memory has connections for)';
}

function storageSource({ storage }: Machine): string {
  if (storage === undefined) return ' (assumed: unknown to the system)';
  return storage === 'hdd' ? ' (reported by the system, as for many virtual disks)' : ' (detected here)';
}

function choice(flag: string, help: string, of: readonly string[]): Option {
  return new Option(flag, help).choices([...of]);
}
