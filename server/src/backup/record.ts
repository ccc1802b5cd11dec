import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { errorCode } from '../lib/error-code.ts';
import { syncPath } from '../lib/sync-folder.ts';

/** The PostgreSQL data directory inside a backup. */
export const dataName = 'data';
/** Written last: a folder without it is no backup. */
const recordName = 'messenger-backup.json';
/** In the folder of the backups: the outcome of the last ones. */
const outcomeName = 'last-backup.json';

/** The description in a complete backup. */
export interface BackupRecord {
  /** `embedded`: of a pair that this program runs; `external`: of the operator's server. */
  readonly kind: 'embedded' | 'external';
  readonly systemIdentifier: string;
  /** RFC 3339, UTC, by the server's clock: the earliest time to which it can be restored. */
  readonly endedAt: string;
  /** The oldest WAL segment that it needs. */
  readonly firstWal: string;
  /** SHA-256 of the files in `pg_wal`, which PostgreSQL's manifest does not list. */
  readonly wal: Readonly<Record<string, string>>;
}

/** Times of the last attempts, in milliseconds since 1970. */
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

/** Replaces a file atomically, and flushes it to disk. */
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

/** An absent or invalid file has no fields. */
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

/** The complete backups in a folder, newest first. */
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

/** Records the outcome of a backup beside it, for the metrics and `messenger doctor`. */
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

/** The last attempts to back up to a folder. Rejects when the record cannot be read. */
export async function readLastBackup(parent: string): Promise<LastBackup> {
  const { succeededMs, folder, failedMs } = await readOutcomes(parent);
  const isThere = folder !== undefined && (await findBackupRecord(join(parent, folder))) !== undefined;
  return { ...(isThere ? { succeededMs } : {}), ...(failedMs === undefined ? {} : { failedMs }) };
}
