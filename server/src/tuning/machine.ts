import { readFile, realpath, stat } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

import type { Storage } from './profile.ts';

/** Facts reported by the system; replaced in tests. */
export interface SystemFacts {
  readonly totalMemoryBytes: number;
  /** The control group's limit; 0 or more than the machine's memory when there is none. */
  readonly memoryLimitBytes: number;
  readonly cpus: number;
  /** A file on the disk in question. */
  readonly path: string;
  /** Where Linux describes its devices. */
  readonly sysDir: string;
}

export interface Machine {
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Undefined when unknown: not Linux, a network disk, a layered file system. */
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

/** The resources of a database server on this machine, or in this container. */
export async function detectMachine(facts: SystemFacts): Promise<Machine> {
  const { totalMemoryBytes, memoryLimitBytes, cpus } = facts;
  const memoryBytes = memoryLimitBytes > 0 ? Math.min(totalMemoryBytes, memoryLimitBytes) : totalMemoryBytes;
  return { memoryBytes, cpus, storage: await detectStorage(facts) };
}

/** Only the disk, the parent folder of its partition, has the rotational flag. */
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
