import { InvalidArgumentError, Option } from 'commander';

import { parseMemorySize } from '../tuning/memory-size.ts';
import type { Storage } from '../tuning/profile.ts';

/** The operator's description of a database server. */
export interface MachineFlags {
  readonly memory?: number;
  readonly cpus?: number;
  readonly storage?: Storage;
}

/** With less, PostgreSQL does not fit even with the fewest connections. */
const leastMemoryBytes = 256 * 2 ** 20;

/** From 32TB on, a quarter exceeds the maximum of shared_buffers. */
const mostMemoryBytes = 2 ** 44;

function memory(text: string): number {
  const bytes = parseMemorySize(text);
  if (bytes === undefined || bytes < leastMemoryBytes || bytes > mostMemoryBytes)
    throw new InvalidArgumentError('must be a size from 256MB to 16TB, with its unit: 512MB, 16GB, 1.5TB.');
  return bytes;
}

/** Parses a whole number from 1. */
export function count(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}$/u.test(text) ? Number(text) : 0;
    if (value < 1 || value > most) throw new InvalidArgumentError(`must be a whole number from 1 to ${most}.`);
    return value;
  };
}

/** `--memory`, `--cpus` and `--storage`; `otherwise` names the defaults in their help. */
export function machineFlags(otherwise: Readonly<Record<keyof MachineFlags, string>>): Option[] {
  return [
    new Option('--memory <size>', `memory of one database server, e.g. 16GB; default: ${otherwise.memory}`).argParser(
      memory,
    ),
    new Option('--cpus <count>', `cores of one database server; default: ${otherwise.cpus}`).argParser(count(1024)),
    new Option('--storage <kind>', `disk of the databases; default: ${otherwise.storage}`).choices(['ssd', 'hdd']),
  ];
}
