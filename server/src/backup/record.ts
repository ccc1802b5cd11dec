import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { errorCode } from '../lib/error-code.ts';
import { syncPath } from '../lib/sync-folder.ts';

/** The part of a backup that is a PostgreSQL data directory. */
export const dataName = 'data';
/** Written last: a folder without it is no backup. */
const recordName = 'messenger-backup.json';
/** Beside the backups: how the last ones ended. */
const outcomeName = 'last-backup.json';

/** What a complete backup says of itself. */
export interface BackupRecord {
  /** `embedded`: of a pair that this program runs; `external`: of a server of the operator. */
  readonly kind: 'embedded' | 'external';
  readonly systemIdentifier: string;
  /** RFC 3339, UTC, by the clock of the server: the earliest time that it can be restored to. */
  readonly endedAt: string;
  /** The oldest segment of WAL that it needs. */
  readonly firstWal: string;
  /** SHA-256 of the files in `pg_wal`, which PostgreSQL's manifest does not list. */
  readonly wal: Readonly<Record<string, string>>;
}

/** How the last attempts ended, in milliseconds since 1970. */
interface Outcomes {
  readonly succeededMs?: number;
  /** The folder of the newest backup that succeeded. */
  readonly folder?: string;
  readonly failedMs?: number;
}

/** Without a success whose backup is gone. */
export type LastBackup = Omit<Outcomes, 'folder'>;

export interface FoundBackup extends BackupRecord {
  readonly folder: string;
}

/** Writes a file whole, or not at all, and brings it to the disk. */
async function writeJson(path: string, value: unknown): Promise<void> {
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(unfinished, 'wx', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(value, undefined, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  await syncPath(dirname(path));
}

/** What is absent or no JSON has no fields. */
async function readJson(path: string): Promise<object> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return {};
    throw error;
  }
}

export async function writeBackupRecord(backup: string, record: BackupRecord): Promise<void> {
  await writeJson(join(backup, recordName), { version: 1, ...record });
}

/** The record of a complete backup, or undefined. */
export async function findBackupRecord(backup: string): Promise<BackupRecord | undefined> {
  const fields: Readonly<Record<string, unknown>> = { ...(await readJson(join(backup, recordName))) };
  const { kind, systemIdentifier, endedAt, firstWal, wal } = fields;
  if (kind !== 'embedded' && kind !== 'external') return undefined;
  if (typeof systemIdentifier !== 'string' || typeof endedAt !== 'string' || typeof firstWal !== 'string')
    return undefined;
  if (typeof wal !== 'object' || wal === null) return undefined;
  const hashes = Object.entries(wal).map(([path, hash]): [string, string] => [path, String(hash)]);
  return { kind, systemIdentifier, endedAt, firstWal, wal: Object.fromEntries(hashes) };
}

/** The complete backups in a folder, the newest first. */
export async function listBackups(parent: string): Promise<FoundBackup[]> {
  const entries = await readdir(parent, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(parent, name));
  const found = await Promise.all(
    folders.map(async (folder) => {
      const record = await findBackupRecord(folder);
      return record === undefined ? [] : [{ ...record, folder }];
    }),
  );
  return found.flat().toSorted((one, other) => Date.parse(other.endedAt) - Date.parse(one.endedAt));
}

/** Notes beside a backup how it ended, for the metrics and `messenger doctor`. */
export async function noteOutcome(backup: string, outcome: 'success' | 'failure', nowMs: number): Promise<void> {
  const path = join(dirname(backup), outcomeName);
  const news = outcome === 'success' ? { succeededMs: nowMs, folder: basename(backup) } : { failedMs: nowMs };
  await writeJson(path, { ...(await readOutcomes(dirname(backup))), ...news });
}

/** Rejects when the record of the last backups cannot be read. */
export async function readOutcomes(parent: string): Promise<Outcomes> {
  const fields: Readonly<Record<string, unknown>> = { ...(await readJson(join(parent, outcomeName))) };
  const { succeededMs, folder, failedMs } = fields;
  return {
    ...(typeof succeededMs === 'number' && typeof folder === 'string' ? { succeededMs, folder } : {}),
    ...(typeof failedMs === 'number' ? { failedMs } : {}),
  };
}

/** How the last attempts to back up to a folder ended. Rejects when that cannot be read. */
export async function readLastBackup(parent: string): Promise<LastBackup> {
  const { succeededMs, folder, failedMs } = await readOutcomes(parent);
  const isThere = folder !== undefined && (await findBackupRecord(join(parent, folder))) !== undefined;
  return { ...(isThere ? { succeededMs } : {}), ...(failedMs === undefined ? {} : { failedMs }) };
}
