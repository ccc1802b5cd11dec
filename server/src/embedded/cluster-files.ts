import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, lchown, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import type { Binaries } from './binaries.ts';
import { type OsUser, spawnOptionsFor } from './os-user.ts';
import { databaseUser, pgHbaConf } from './settings.ts';

/** What it takes to make the files of a server: the programs, and who owns the result. */
export interface FileMaker {
  readonly binaries: Binaries;
  readonly user: OsUser;
}

async function runInitdb(maker: FileMaker, args: readonly string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(maker.binaries.initdb, args, {
    ...spawnOptionsFor(maker.user),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = (): boolean => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  // Waited for even when stopped: until it has ended, it writes.
  const [errors] = await Promise.all([text(child.stderr), once(child, 'close')]);
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (child.exitCode !== 0) throw new Error(`initdb failed: ${errors.trim()}`);
}

/** An empty private folder beside `final`, to be renamed to it when it is complete. */
export async function makeUnfinished(final: string, user: OsUser): Promise<string> {
  const unfinished = `${final}.new-${randomBytes(4).toString('hex')}`;
  await mkdir(unfinished, { mode: 0o700 });
  if (user.drops) await chown(unfinished, user.uid, user.gid);
  return unfinished;
}

/** Makes an empty database cluster in the empty folder `dir`: UTF-8, sorted by code point, the same on every platform. */
export async function initCluster(maker: FileMaker, dir: string, signal: AbortSignal): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--auth=trust', `--username=${databaseUser}`];
  await runInitdb(maker, ['-D', dir, ...locale, ...access, '--no-instructions'], signal);
}

/** Brings every file of a cluster to the disk. */
export async function syncCluster(maker: FileMaker, dir: string, signal: AbortSignal): Promise<void> {
  await runInitdb(maker, ['-D', dir, '--sync-only'], signal);
}

/**
 * Replaces a file of a cluster, which then belongs to the databases' user. A link in the file's place is replaced, not
 * followed: we may be root here, and that user is not.
 */
export async function writeClusterFile(path: string, content: string, user: OsUser): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, content, { flag: 'wx', mode: 0o600 });
  if (user.drops) await lchown(temporary, user.uid, user.gid);
  await rename(temporary, path);
}

/** Writes postgresql.conf and pg_hba.conf anew. */
export async function writeConfiguration(dir: string, postgresConf: string, user: OsUser): Promise<void> {
  await writeClusterFile(join(dir, 'postgresql.conf'), postgresConf, user);
  await writeClusterFile(join(dir, 'pg_hba.conf'), pgHbaConf, user);
}

/** Makes a stopped copy a standby: it will stream instead of becoming a primary. */
export async function markStandby(dir: string, maker: FileMaker): Promise<void> {
  await writeClusterFile(join(dir, 'standby.signal'), '', maker.user);
}
