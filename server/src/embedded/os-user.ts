import { execFile } from 'node:child_process';
import { chown, lchown, readdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { OperatorError } from '../lib/operator-error.ts';

const run = promisify(execFile);

/** Who the database processes run as. `drops` is true when that is not us: we are root, and PostgreSQL refuses root. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly drops: boolean;
}

/** What every process of the databases is spawned with: its user, a folder it can enter, and no environment of ours. */
export function spawnOptionsFor(user: OsUser): {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
} {
  const base = { cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };
  // Node takes signed 32-bit ids, and macOS's nobody is 4294967294, also known as -2.
  return user.drops ? { ...base, uid: user.uid | 0, gid: user.gid | 0 } : base;
}

async function lookUp(name: string): Promise<OsUser> {
  const problem = `MESSENGER_DB_USER: there is no user "${name}" on this machine. Name an existing user other than root.`;
  if (!/^[a-z_][\w.-]*$/i.test(name)) throw new OperatorError(problem);
  const ask = async (flag: string): Promise<number> => Number((await run('id', [flag, name])).stdout) >>> 0;
  const ids = await Promise.all([ask('-u'), ask('-g')]).catch((cause: unknown) => {
    throw new OperatorError(problem, { cause });
  });
  return { name, uid: ids[0], gid: ids[1], drops: true };
}

function ownName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}

/**
 * The user for the database processes: as root `requested` or nobody, otherwise ourselves.
 * Throws `OperatorError` for a user that does not exist, is root, or is not us while we are not root.
 */
export async function resolveOsUser(requested: string | undefined): Promise<OsUser> {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return refuseRoot(await lookUp(requested ?? 'nobody'));
  const self = { name: ownName(uid), uid, gid: process.getegid?.() ?? 0, drops: false };
  if (requested === undefined || requested === self.name) return self;
  throw new OperatorError(
    `MESSENGER_DB_USER is "${requested}", but only root can run the databases as another user, and this is ` +
      `"${self.name}". Leave MESSENGER_DB_USER out, or start as "${requested}".`,
  );
}

function refuseRoot(user: OsUser): OsUser {
  if (user.uid !== 0) return user;
  throw new OperatorError(
    `MESSENGER_DB_USER is "${user.name}", which is root, and PostgreSQL does not run as root. Name another user.`,
  );
}

function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestorsOf(parent), path];
}

/** The first folder (or, at the end, file) on the way to `path` that `user` may not pass; found by really trying. */
async function findObstacle(user: OsUser, path: string): Promise<string | undefined> {
  const script = 'for f; do [ -x "$f" ] || { printf %s "$f"; exit 0; }; done';
  const { stdout } = await run('/bin/sh', ['-c', script, 'sh', ...ancestorsOf(path)], spawnOptionsFor(user));
  return stdout === '' ? undefined : stdout;
}

/** Throws `OperatorError`, naming the obstacle and the ways out, when the database processes could not get to `path`. */
export async function assertReachable(user: OsUser, path: string): Promise<void> {
  if (!user.drops) return;
  const obstacle = await findObstacle(user, path);
  if (obstacle === undefined) return;
  const mode = ((await stat(obstacle)).mode & 0o7777).toString(8).padStart(4, '0');
  throw new OperatorError(
    `PostgreSQL does not run as root; it would run as "${user.name}", who cannot enter ${obstacle} (mode ${mode}) on ` +
      `the way to ${path}. Either run the server as an ordinary user, or move the folder to where "${user.name}" can ` +
      `reach it, or \`chmod o+x ${obstacle}\`, or name another user with MESSENGER_DB_USER.`,
  );
}

async function chownTree(path: string, user: OsUser): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await chownTree(child, user);
    else await lchown(child, user.uid, user.gid);
  }
  await chown(path, user.uid, user.gid);
}

/** When we are not root, refuses a folder that belongs to somebody else: PostgreSQL would, less clearly. */
export async function assertOwner(dir: string, user: OsUser): Promise<void> {
  const owner = (await stat(dir)).uid;
  if (user.drops || owner === user.uid) return;
  throw new OperatorError(
    `${dir} belongs to the user with uid ${owner}, and this is "${user.name}" (uid ${user.uid}). Start as that user, ` +
      `or run \`chown -R ${user.name}\` on the data folder as root, or choose another folder with MESSENGER_DATA_DIR.`,
  );
}

/**
 * When we are root, gives `dir` and all it holds to `user`. Walks it only when the folder itself belongs to somebody
 * else; the folder is given away last, so that a walk that was cut short is done again.
 */
export async function giveFolder(dir: string, user: OsUser): Promise<void> {
  if (user.drops && (await stat(dir)).uid !== user.uid) await chownTree(dir, user);
}
