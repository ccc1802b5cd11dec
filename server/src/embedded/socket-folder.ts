import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EndpointPair } from '../db/endpoint.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { currentUser } from '../process/os-user.ts';
import { type DataLayout, layoutOf } from './data-folder.ts';
import { errorCode } from '../lib/error-code.ts';
import { readServerRecord } from './server-record.ts';
import { databaseName, embeddedPorts, type Role, roles, type SynchronousCommit } from './settings.ts';

/** The size of `sockaddr_un.sun_path`, less the terminating zero. */
const maxSocketPathBytes = process.platform === 'darwin' ? 103 : 107;

function socketName(role: Role): string {
  return `.s.PGSQL.${embeddedPorts[role]}`;
}

/** PostgreSQL clients treat a comma in a socket folder's name as a separator. */
function canHoldSockets(folder: string): boolean {
  return !folder.includes(',') && Buffer.byteLength(join(folder, socketName('primary'))) <= maxSocketPathBytes;
}

/**
 * The folder for the sockets of a data folder: `run` in it, or when that path is too long for a socket, a temporary
 * folder named after the data folder's path. Deterministic for a data folder.
 */
export function socketFolderOf(layout: DataLayout, temporaryDir = tmpdir()): string {
  const name = `messenger-${createHash('sha256').update(layout.root).digest('hex').slice(0, 16)}`;
  const folder = [layout.run, join(temporaryDir, name), join('/tmp', name)].find(canHoldSockets);
  if (folder !== undefined) return folder;
  throw new OperatorError(
    `No path for the sockets of ${layout.root} is short enough. Use a shorter MESSENGER_DATA_DIR.`,
  );
}

/**
 * Creates the socket folder, private to this user. Refuses a link and, among the temporary files, where anybody can
 * create folders, a folder of another user.
 */
export async function prepareSocketFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  const found = await lstat(folder);
  const { name, uid } = currentUser();
  if (!found.isDirectory() || found.uid !== uid)
    throw new OperatorError(`${folder}, the place of the databases' sockets, is not a folder of "${name}". Remove it.`);
  await chmod(folder, 0o700);
}

/**
 * Removes a socket that its server did not remove, with its lock file: the pid in it may belong to another process by
 * now. Only while the server of `role` is known not to run.
 */
export async function removeStaleSocket(folder: string, role: Role): Promise<void> {
  await rm(join(folder, socketName(role)), { force: true });
  await rm(join(folder, `${socketName(role)}.lock`), { force: true });
}

/** The two servers behind the sockets in `folder`, for sessions that commit with `synchronousCommit`. */
export function endpointsIn(folder: string, synchronousCommit: SynchronousCommit = 'on'): EndpointPair {
  const base = { host: folder, user: roles.application, database: databaseName, synchronousCommit };
  return { write: { ...base, port: embeddedPorts.primary }, read: { ...base, port: embeddedPorts.standby } };
}

/** Where the embedded databases of a data folder listen when they run. Starts nothing. */
export async function embeddedEndpoints(dataDir: string): Promise<EndpointPair> {
  const layout = await layoutOf(dataDir);
  // The running server may have a different TMPDIR.
  const record = await readServerRecord(layout);
  return endpointsIn(record?.sockets ?? socketFolderOf(layout));
}
