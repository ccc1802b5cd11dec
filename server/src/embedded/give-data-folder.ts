import { chmod, lchown, lstat, readdir, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';
import { findUser, type OsUser, userOf } from '../process/os-user.ts';
import { assertOurs, createFolder, type DataLayout, exists, tryLockDataFolder } from './data-folder.ts';
import { folderInUse } from './server-record.ts';
import { becomesTrue } from './wait.ts';

/** Names that `messenger` creates in its data folder; other files there are not touched. */
const ours = /^(?:messenger\.lock|server\.json|run|(?:primary|standby)(?:\.(?:new|old)-[0-9a-f]+)?)$/u;

/** Time for databases left by a killed server of an earlier version to end. */
const endingMs = 15_000;

async function nearestExisting(path: string): Promise<string> {
  return (await exists(path)) ? path : nearestExisting(dirname(path));
}

/** The owner of the data folder, or of the parent in which it will be created; undefined when that is root. */
export async function ownerOf({ root }: DataLayout): Promise<OsUser | undefined> {
  const found = await stat(await nearestExisting(root));
  return found.uid === 0 ? undefined : userOf(found);
}

/** The user that Messenger becomes by default. */
export async function defaultUser(): Promise<OsUser> {
  const user = (await findUser('messenger')) ?? (await findUser('nobody'));
  if (user !== undefined) return user;
  throw new OperatorError('Messenger does not run as root. Name a user with MESSENGER_USER, or start as one.');
}

/** Whether only root can replace entries of `folder` and of its parents, by the paths that root uses. */
async function isRootsAlone(folder: string): Promise<boolean> {
  const { uid, gid, mode } = await lstat(folder);
  const others = gid === 0 ? 0o002 : 0o022;
  if (uid !== 0 || ((mode & others) !== 0 && (mode & 0o1000) === 0)) return false;
  return folder === dirname(folder) || isRootsAlone(dirname(folder));
}

/**
 * As root: creates the data folder, or takes over one that belongs to root, and gives it to `user`. Does nothing in a
 * folder that another user could change during the operation; then `user` must have access already.
 */
export async function giveDataFolder(layout: DataLayout, user: OsUser): Promise<void> {
  if (!(await isRootsAlone(await nearestExisting(dirname(layout.root))))) return;
  const created = await createFolder(layout.root);
  if (created !== undefined && created !== layout.root) await openFolders(created, dirname(layout.root));
  const found = await lstat(layout.root);
  if (!found.isDirectory() || found.uid !== 0) return;
  await assertOurs(layout);
  const lock = (await exists(layout.lock)) ? tryLockDataFolder(layout) : undefined;
  if (lock === undefined && (await exists(layout.lock))) throw await folderInUse(layout);
  try {
    await assertIdle(layout);
    for (const name of (await readdir(layout.root)).filter((one) => ours.test(one)))
      await give(join(layout.root, name), user, found.uid);
  } finally {
    lock?.release();
  }
  await chmod(layout.root, 0o700);
  await lchown(layout.root, user.uid, user.gid);
}

/** Makes the created parents of the data folder passable for everybody, regardless of root's umask. */
async function openFolders(first: string, last: string): Promise<void> {
  if (last !== first) await openFolders(first, dirname(last));
  await chmod(last, 0o755);
}

/**
 * Gives `path`, in a folder that only root can change, to `user`. A folder belongs to root while its content is given
 * away, so its former owner cannot swap checked entries. It is given away last, so an interrupted walk is repeated.
 */
async function give(path: string, user: OsUser, parentUid: number): Promise<void> {
  const found = await lstat(path);
  if (found.uid === user.uid) return;
  if (!found.isDirectory()) {
    if (found.nlink > 1 || (found.uid === 0 && parentUid !== 0)) throw refuseForeign(path);
    return lchown(path, user.uid, user.gid);
  }
  await lchown(path, 0, 0);
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await give(join(path, name), user, found.uid);
  return lchown(path, user.uid, user.gid);
}

/** A hard link made by the folder's owner could give away any file of the system. */
function refuseForeign(path: string): OperatorError {
  return new OperatorError(`${path} is a hard link, or a file of root in another user's folder. Remove it.`);
}

/** `user` cannot stop databases that run as another user, and must not share their files. */
async function assertIdle(layout: DataLayout): Promise<void> {
  const isIdle = async (): Promise<boolean> => (await findUsers(layout)).length === 0;
  if (await becomesTrue(isIdle, endingMs)) return;
  const pids = (await findUsers(layout)).join(', ');
  throw new OperatorError(`An earlier server's databases still run on ${layout.root} (processes ${pids}). Stop them.`);
}

/** On Linux, the processes whose working directory is one of our clusters: those of their servers. */
async function findUsers({ primary, standby }: DataLayout): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index] === primary || folders[index] === standby);
}
