import { access, chmod, constants, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { tryLock, type FileLock } from '../lib/file-lock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { assertReachable, currentUser } from '../process/os-user.ts';
import { errorCode } from '../lib/error-code.ts';
import { becomesTrue } from './wait.ts';

/** Paths in a data folder, all absolute and free of symbolic links. */
export interface DataLayout {
  readonly root: string;
  readonly primary: string;
  readonly standby: string;
  readonly run: string;
  readonly lock: string;
  readonly record: string;
}

/** The only supported major version: that of the packaged binaries. */
const servedVersion = '18';

/** Entries of a new volume or checkout that do not count as content. */
const harmless: ReadonlySet<string> = new Set(['lost+found', '.gitkeep', '.gitignore', '.DS_Store']);

const chooseAnother = 'Choose another folder with MESSENGER_DATA_DIR.';

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}

/** The layout of a data folder, which need not exist. */
export async function layoutOf(dataDir: string): Promise<DataLayout> {
  const root = await realPathOf(resolve(dataDir));
  return {
    root,
    primary: join(root, 'primary'),
    standby: join(root, 'standby'),
    run: join(root, 'run'),
    lock: join(root, 'messenger.lock'),
    record: join(root, 'server.json'),
  };
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Creates the data folder when absent and makes it private when it is ours. Refuses (`OperatorError`) one that is not a
 * folder, is not writable, or contains foreign files.
 */
export async function prepareDataFolder(layout: DataLayout): Promise<void> {
  await createFolder(layout.root);
  await assertReachable(layout.root);
  await assertWritable(layout.root);
  await assertOurs(layout);
  if ((await stat(layout.root)).uid === currentUser().uid) await chmod(layout.root, 0o700);
}

/** Creates the data folder and missing parents. Resolves with the topmost that it created. */
export async function createFolder(root: string): Promise<string | undefined> {
  try {
    return await mkdir(root, { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new OperatorError(`The data folder ${root} is not a folder. ${chooseAnother}`, { cause: error });
    const { name } = currentUser();
    throw new OperatorError(
      `The data folder ${root} cannot be created by "${name}" (${code}). Create it as root: ` +
        `\`install -d -m 700 -o ${name} ${root}\`. ${chooseAnother}`,
      { cause: error },
    );
  }
}

async function assertWritable(root: string): Promise<void> {
  if (!(await stat(root)).isDirectory())
    throw new OperatorError(`The data folder ${root} is not a folder. ${chooseAnother}`);
  await access(root, constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new OperatorError(
      `The data folder ${root} cannot be written by "${currentUser().name}" (${errorCode(cause)}). Start as its owner. ${chooseAnother}`,
      { cause },
    );
  });
}

/** Refuses a folder with files that are not Messenger's. */
export async function assertOurs(layout: DataLayout): Promise<void> {
  const foreign = (await readdir(layout.root)).find((name) => !harmless.has(name));
  if (foreign === undefined || (await exists(layout.lock))) return;
  throw new OperatorError(
    `The data folder ${layout.root} contains "${foreign}" and was not created by Messenger, so it stays unchanged. ${chooseAnother}`,
  );
}

/** Locks the folder unless it is locked. */
export function tryLockDataFolder(layout: DataLayout): FileLock | undefined {
  try {
    return tryLock(layout.lock);
  } catch (cause) {
    throw new OperatorError(`${layout.lock} cannot be opened for writing. Start as its owner. ${chooseAnother}`, {
      cause,
    });
  }
}

/** A command that checks whether a server runs holds the lock for a moment; this wait outlasts it. */
const lookMs = 300;

/** Locks the folder for this process; undefined when another server holds it. */
export async function lockDataFolder(layout: DataLayout): Promise<FileLock | undefined> {
  let lock: FileLock | undefined;
  await becomesTrue(() => (lock = tryLockDataFolder(layout)) !== undefined, lookMs);
  return lock;
}

/**
 * Whether the folder holds a primary. Refuses data of another major version, and a standby without its primary: a new
 * primary would replace the only copy of the data with an empty one.
 */
export async function assertServable(layout: DataLayout): Promise<'new' | 'existing'> {
  const version = await readVersion(layout.primary);
  if (version === undefined) return assertNothingLost(layout);
  if (version === servedVersion) return 'existing';
  throw new OperatorError(
    `The data in ${layout.primary} is of PostgreSQL ${version}, and this is PostgreSQL ${servedVersion}. Dump it with ` +
      `PostgreSQL ${version} (pg_dump) and restore it into a new data folder. ${chooseAnother}`,
  );
}

async function readVersion(dir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dir, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function assertNothingLost(layout: DataLayout): Promise<'new'> {
  if (await exists(layout.primary))
    throw new OperatorError(`${layout.primary} exists, but holds no database (no PG_VERSION). ${chooseAnother}`);
  if (!(await exists(layout.standby))) return 'new';
  throw new OperatorError(
    `${layout.standby} exists, but its primary ${layout.primary} is gone. Restore the primary, or make the copy the  ` +
      `primary: \`mv ${layout.standby} ${layout.primary} && rm ${layout.primary}/standby.signal\`. ${chooseAnother}`,
  );
}

/** Removes leftovers of interrupted starts and rebuilds. Only for the holder of the folder's lock. */
export async function removeLeftovers(layout: DataLayout): Promise<void> {
  const names = (await readdir(layout.root)).filter((name) => /^(primary|standby)\.(new|old)-[0-9a-f]+$/.test(name));
  for (const name of names) await rm(join(layout.root, name), { recursive: true, force: true });
}

/** Refuses a cluster of another user: PostgreSQL would, too, with a worse message. */
export async function assertOwner({ root, primary }: DataLayout): Promise<void> {
  if (!(await exists(primary))) return;
  const [{ uid }, self] = [await stat(primary), currentUser()];
  if (uid === self.uid) return;
  throw new OperatorError(
    `${primary} belongs to the user with uid ${uid}, and this is "${self.name}" (uid ${self.uid}). Start as that user, ` +
      `or run \`chown -R ${self.name} ${root}\` as root, or choose another folder with MESSENGER_DATA_DIR.`,
  );
}
