import { execFile } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

import { errorCode } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';

const run = promisify(execFile);

/** A user of the operating system. Its uid replaces a missing name. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Including supplementary groups. */
  readonly groups: readonly number[];
}

export const isRoot = (): boolean => process.geteuid?.() === 0;

/** The user of this process. */
export function currentUser(): OsUser {
  const uid = process.geteuid?.() ?? 0;
  return { name: ownName(uid), uid, gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] };
}

function ownName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}

async function idOf(flag: string, user: string): Promise<string> {
  return (await run('id', [flag, user])).stdout.trim();
}

/** The user with this name, or undefined when there is none. */
export async function findUser(name: string): Promise<OsUser | undefined> {
  if (!/^[a-z_][\w.-]*$/iu.test(name)) return undefined;
  try {
    const [uid = 0, gid = 0, ...groups] = (
      await Promise.all([idOf('-u', name), idOf('-g', name), idOf('-G', name)])
    ).flatMap((ids) => ids.split(' ').map((id) => Number(id) >>> 0));
    return { name, uid, gid, groups };
  } catch {
    return undefined;
  }
}

/** The owner of a file, by its ids. */
export async function userOf({ uid, gid }: { readonly uid: number; readonly gid: number }): Promise<OsUser> {
  const name = await idOf('-un', String(uid)).catch(() => String(uid));
  return (await findUser(name)) ?? { name, uid, gid, groups: [gid] };
}

/**
 * Makes this process `user`'s irrevocably: groups, and real, effective and saved gid and uid. Only for root. Throws if
 * the system would allow a return.
 */
export function becomeUser({ name, uid, gid, groups }: OsUser): void {
  keepCompiledCode({ uid, gid });
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  let isRootAgain = true;
  try {
    process.setuid?.(0);
  } catch {
    isRootAgain = false;
  }
  if (isRootAgain || isRoot()) throw new Error(`root could not become "${name}" irrevocably`);
}

/**
 * Node keeps compiled code in a folder per user, `…-<uid>`, and writes it when a process ends. As another user this process could not write
 * into root's, and its children could not create theirs: each start would compile everything again, a second of CPU per process.
 */
function keepCompiledCode({ uid, gid }: Pick<OsUser, 'uid' | 'gid'>): void {
  flushCompileCache();
  const theirs = getCompileCacheDir()?.replace(/-0$/u, `-${uid}`);
  try {
    if (theirs === undefined) return;
    mkdirSync(theirs, { mode: 0o755 }); // Fails if anything is there: root follows no link.
    chownSync(theirs, uid, gid);
  } catch {
    // It exists, or the server compiles at each start.
  }
}

function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestorsOf(parent), path];
}

/**
 * Throws `OperatorError`, with the obstacle and the remedies, when this process cannot enter the folders on the way to
 * `path`, or cannot access `path` itself in this `mode` of fs.access.
 */
export async function assertReachable(path: string, mode = constants.X_OK): Promise<void> {
  for (const one of ancestorsOf(path)) {
    const isObstacle = await access(one, one === path ? mode : constants.X_OK).then(
      () => false,
      (error: unknown) => errorCode(error) === 'EACCES',
    );
    if (isObstacle) throw await obstacleError(one, path);
  }
}

async function obstacleError(obstacle: string, path: string): Promise<OperatorError> {
  const { name } = currentUser();
  const permissions = ((await stat(obstacle)).mode & 0o7777).toString(8).padStart(4, '0');
  return new OperatorError(
    `Started as root, Messenger runs as "${name}", and that user cannot enter ${obstacle} (mode ${permissions}) on the ` +
      `way to ${path}. Start as an ordinary user, or move the folder to where "${name}" can reach it, or ` +
      `\`chmod o+x ${obstacle}\` (\`chmod -R o+rX\` where it holds nothing but Messenger), or name another user with MESSENGER_USER.`,
  );
}
