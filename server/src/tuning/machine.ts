import { readFile, realpath, stat } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

import type { Storage } from './profile.ts';

/** What the system says of itself; another object in tests. */
export interface SystemFacts {
  readonly totalMemoryBytes: number;
  /** Limit of this process's control group; 0 or more than the machine has when there is none. */
  readonly memoryLimitBytes: number;
  readonly cpus: number;
  /** A file on the disk that is asked about. */
  readonly path: string;
  /** Where Linux tells about its devices. */
  readonly sysDir: string;
}

export interface Machine {
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Undefined where the system does not say: not Linux, a network disk, a layered file system. */
  readonly storage: Storage | undefined;
}

/** The machine that this process runs on. */
export function systemFacts(path: string): SystemFacts {
  return {
    totalMemoryBytes: totalmem(),
    memoryLimitBytes: process.constrainedMemory(),
    cpus: availableParallelism(),
    path,
    sysDir: '/sys',
  };
}

/** What a database server on this machine, or in this container, would have. */
export async function detectMachine(facts: SystemFacts): Promise<Machine> {
  const { totalMemoryBytes, memoryLimitBytes, cpus } = facts;
  const memoryBytes = memoryLimitBytes > 0 ? Math.min(totalMemoryBytes, memoryLimitBytes) : totalMemoryBytes;
  return { memoryBytes, cpus, storage: await detectStorage(facts) };
}

/** A partition does not say whether its disk rotates; the disk, which is the folder above it, does. */
async function detectStorage({ path, sysDir }: SystemFacts): Promise<Storage | undefined> {
  try {
    const { dev } = await stat(path);
    const device = await realpath(join(sysDir, 'dev/block', deviceNumber(dev)));
    const said = await readFirst([join(device, 'queue/rotational'), join(device, '../queue/rotational')]);
    return said.trim() === '1' ? 'hdd' : 'ssd';
  } catch {
    return undefined;
  }
}

async function readFirst(paths: readonly [string, string]): Promise<string> {
  return await readFile(paths[0], 'utf8').catch(async () => readFile(paths[1], 'utf8'));
}

/** `8:1`. Bits of `dev_t`: gnu_dev_major(3) of the C library. */
export function deviceNumber(dev: number): string {
  const wide = BigInt(dev);
  const major = ((wide >> 8n) & 0xf_ffn) | ((wide >> 32n) & ~0xf_ffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & 0xff_ff_ff_00n);
  return `${major}:${minor}`;
}
