import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';
import { syncPath } from '../lib/sync-folder.ts';

/** PostgreSQL's list of the files in a base backup. */
export const manifestName = 'backup_manifest';

/** The WAL that a backup needs, on one timeline; positions like `0/3000028`. */
export interface WalRange {
  readonly timeline: number;
  readonly startLsn: string;
  readonly endLsn: string;
}

/** https://www.postgresql.org/docs/18/backup-manifest-format.html */
export interface Manifest {
  /** SHA-256 by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly walRanges: readonly WalRange[];
}

/** Files read concurrently: the disk combines their flushes. */
const atOnce = 8;

type Hashes = Readonly<Record<string, string>>;

/** Files that a server changes without running on the directory, and files that are verified by other means. */
const unlisted = /^(pg_wal\/.*|backup_manifest|postgresql\.auto\.conf|(recovery|standby)\.signal)$/u;

/** Parses a manifest and verifies its checksum. Throws an `Error` that describes the defect. */
function parseManifest(bytes: Buffer): Manifest {
  const end = bytes.indexOf('"Manifest-Checksum"');
  const value: unknown = JSON.parse(bytes.toString('utf8'));
  const fields = fieldsOf(value);
  const checksum = createHash('sha256').update(bytes.subarray(0, end)).digest('hex');
  if (end < 0 || fields['Manifest-Checksum'] !== checksum) throw new Error('its own checksum is wrong');
  const files = listOf(fields['Files']).map((file): [string, string] => {
    if (file['Checksum-Algorithm'] !== 'SHA256') throw new Error('it has no SHA-256');
    return [pathOf(file), String(file['Checksum'])];
  });
  const walRanges = listOf(fields['WAL-Ranges']).map((range) => ({
    timeline: Number(range['Timeline']),
    startLsn: String(range['Start-LSN']),
    endLsn: String(range['End-LSN']),
  }));
  return { files: new Map(files), walRanges };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** Names that are not UTF-8 are in hex. */
function pathOf(file: Fields): string {
  if (typeof file['Path'] === 'string') return file['Path'];
  return Buffer.from(String(file['Encoded-Path']), 'hex').toString('latin1');
}

/**
 * Reads every file of a data directory, flushes it to disk, and compares it with the manifest. Resolves with the
 * manifest and the hashes of the files in `pg_wal`. Rejects with `OperatorError` when a file is missing, changed, or
 * not listed.
 */
export async function verifyFiles(
  dir: string,
  name: string,
): Promise<{ readonly manifest: Manifest; readonly wal: Hashes }> {
  const manifest = await readManifest(dir, name);
  const found = new Map<string, string>();
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const look = async (): Promise<void> => {
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) found.set(relative(dir, path), await hashAndSync(path));
      else if (entry.isDirectory()) await syncPath(path);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, look));
  await syncPath(dir);
  const expected = [...manifest.files].filter(([path]) => !/^(recovery|standby)\.signal$/u.test(path));
  const wrong = expected.flatMap(([path, hash]) => (found.get(path) === hash ? [] : [path]));
  const foreign = [...found.keys()].filter((path) => !manifest.files.has(path) && !unlisted.test(path));
  refuse(name, [...wrong, ...foreign]);
  const wal = [...found].flatMap(([path, hash]) => (path.startsWith('pg_wal/') ? [[path, hash] as const] : []));
  return { manifest, wal: Object.fromEntries(wal) };
}

/** Rejects with `OperatorError` unless these files of `pg_wal` are unchanged. */
export function assertSameWal(name: string, expected: Hashes, found: Hashes): void {
  refuse(
    name,
    Object.keys(expected).filter((path) => found[path] !== expected[path]),
  );
}

function refuse(name: string, wrong: readonly string[]): void {
  if (wrong.length === 0) return;
  const more = wrong.length > 3 ? ` and ${wrong.length - 3} more` : '';
  throw new OperatorError(
    `The backup ${name} is damaged: ${wrong.slice(0, 3).join(', ')}${more} are missing, changed, or not part of it. Use another backup.`,
  );
}

async function readManifest(dir: string, name: string): Promise<Manifest> {
  try {
    return parseManifest(await readFile(join(dir, manifestName)));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unreadable';
    throw new OperatorError(`The backup ${name} is damaged: ${manifestName}: ${reason}. Use another backup.`, {
      cause,
    });
  }
}

const chunkBytes = 262_144;

async function hashAndSync(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let length = -1; length !== 0;) {
      length = (await file.read(buffer, 0, chunkBytes)).bytesRead;
      hash.update(buffer.subarray(0, length));
    }
    await file.sync();
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
