import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Config } from './config.ts';
import { layoutOf, tryLockDataFolder } from './embedded/data-folder.ts';
import { removeServerRecord, writeServerRecord } from './embedded/server-record.ts';
import type { FileLock } from './lib/file-lock.ts';
import { OperatorError } from './lib/operator-error.ts';
import type { Service } from './process/service.ts';

/**
 * The folder that identifies a running server: `MESSENGER_RUN_DIR`, else the data folder of embedded databases, else
 * none.
 */
export function runFolderOf({ writeDb, embedded, server }: Config): string | undefined {
  return server.runDir ?? (writeDb.host === undefined ? embedded.dataDir : undefined);
}

/** Writes the process id to a folder that only one server can hold. */
export function holdRunFolder(folder: string, url: () => string): Service {
  let lock: FileLock | undefined;
  return {
    name: 'run folder',
    start: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const layout = await layoutOf(folder);
      lock = tryLockDataFolder(layout);
      if (lock === undefined) throw new OperatorError(`MESSENGER_RUN_DIR: another server holds ${folder}`);
      await writeServerRecord(layout, { pid: process.pid, sockets: '', url: url() });
    },
    stop: async () => {
      if (lock !== undefined) await removeServerRecord(await layoutOf(folder));
      lock?.release();
    },
  };
}

/** The reloads of a running server. While one runs, `begun` is `done` plus one. */
export interface Reloads {
  readonly begun: number;
  readonly done: number;
  /** Whether the newest complete one changed the configuration. */
  readonly isGood: boolean;
  /** Its result, for the operator. */
  readonly text: string;
}

const fileName = 'reload.json';

/** Replaces the file atomically. */
export async function writeReloads(folder: string, reloads: Reloads): Promise<void> {
  const path = join(folder, fileName);
  await writeFile(`${path}.new`, `${JSON.stringify(reloads)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The reloads reported by the server with this process id; undefined when there are none. */
export async function readReloads(folder: string): Promise<Reloads | undefined> {
  const json = await readFile(join(folder, fileName), 'utf8').catch(() => '{}');
  const value: unknown = JSON.parse(json);
  return isReloads(value) ? value : undefined;
}

function isReloads(value: unknown): value is Reloads {
  return typeof value === 'object' && value !== null && 'begun' in value && 'done' in value && 'text' in value;
}
