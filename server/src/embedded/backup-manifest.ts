import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';

const manifestName = 'manifest.json';

/** SHA-256 of every file of a backup, by its path. */
type Hashes = Readonly<Record<string, string>>;

/** Writes down what the files of a complete backup are. */
export async function writeManifest(backup: string): Promise<void> {
  const file = await open(join(backup, manifestName), 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ version: 1, files: await hashAll(backup) }, undefined, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Rejects with `OperatorError` when a file of the backup is missing, is damaged, or is no part of it. */
export async function assertManifest(backup: string): Promise<void> {
  const expected = parse(await readFile(join(backup, manifestName), 'utf8').catch(() => ''));
  if (expected === undefined)
    throw new OperatorError(
      `${backup} is no complete backup of \`messenger backup\`: its ${manifestName} is missing or damaged.`,
    );
  const found = await hashAll(backup);
  const wrong = [...new Set([...Object.keys(expected), ...Object.keys(found)])].filter(
    (path) => found[path] !== expected[path],
  );
  if (wrong.length === 0) return;
  throw new OperatorError(
    `The backup ${backup} is damaged: ${wrong.slice(0, 3).join(', ')}${wrong.length > 3 ? ` and ${wrong.length - 3} more` : ''} ` +
      'are missing or changed. Nothing was restored; take another backup.',
  );
}

function parse(json: string): Hashes | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== 'object' || value === null || !('files' in value)) return undefined;
    if (typeof value.files !== 'object' || value.files === null) return undefined;
    return Object.fromEntries(Object.entries(value.files).map(([path, hash]) => [path, String(hash)]));
  } catch {
    return undefined;
  }
}

async function hashAll(backup: string): Promise<Hashes> {
  const entries = await readdir(backup, { recursive: true, withFileTypes: true });
  const hashes: [path: string, hash: string][] = [];
  for (const entry of entries) {
    const path = relative(backup, join(entry.parentPath, entry.name));
    if (entry.isFile() && path !== manifestName) hashes.push([path, await hashOf(join(backup, path))]);
  }
  return Object.fromEntries(hashes);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) if (chunk instanceof Buffer) hash.update(chunk);
  return hash.digest('hex');
}
