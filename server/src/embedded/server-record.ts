import { readFile, rename, rm, writeFile } from 'node:fs/promises';

import { OperatorError } from '../lib/operator-error.ts';
import { type DataLayout, layoutOf, exists, tryLockDataFolder } from './data-folder.ts';

/** The description of the server that holds a data folder. `url` appears when it serves. */
export interface ServerRecord {
  readonly pid: number;
  readonly sockets: string;
  readonly url?: string;
}

function parseRecord(json: string): ServerRecord | undefined {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('sockets' in value)) return undefined;
  const { pid, sockets } = value;
  if (typeof pid !== 'number' || typeof sockets !== 'string') return undefined;
  return 'url' in value && typeof value.url === 'string' ? { pid, sockets, url: value.url } : { pid, sockets };
}

/** The record in a data folder. It may belong to a killed server: only the folder's lock shows whether one runs. */
export async function readServerRecord(layout: DataLayout): Promise<ServerRecord | undefined> {
  try {
    return parseRecord(await readFile(layout.record, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Replaces the record atomically. */
export async function writeServerRecord(layout: DataLayout, record: ServerRecord): Promise<void> {
  const temporary = `${layout.record}.new`;
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(temporary, layout.record);
}

export async function removeServerRecord(layout: DataLayout): Promise<void> {
  await rm(layout.record, { force: true });
}

/** The refusal of a folder that another process has locked. */
export async function folderInUse(layout: DataLayout): Promise<OperatorError> {
  const record = await readServerRecord(layout);
  const url = record?.url === undefined ? '' : ` (${record.url})`;
  const who = record === undefined ? 'another server' : `the server with pid ${record.pid}${url}`;
  return new OperatorError(
    `The data folder ${layout.root} is in use by ${who}. Stop that one first, or choose another folder with MESSENGER_DATA_DIR.`,
  );
}

/** The server that runs on a data folder now, or undefined. For commands that use its databases instead of starting them. */
export async function findRunningServer(dataDir: string): Promise<ServerRecord | undefined> {
  const layout = await layoutOf(dataDir);
  if (!(await exists(layout.lock))) return undefined;
  const lock = tryLockDataFolder(layout);
  if (lock === undefined) return readServerRecord(layout);
  lock.release();
  return undefined;
}
