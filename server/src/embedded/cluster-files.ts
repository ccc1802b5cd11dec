import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { OperatorError } from '../lib/operator-error.ts';
import type { Binaries } from './binaries.ts';
import { currentUser } from '../process/os-user.ts';
import { pgHbaConf, renderPgIdentConf, roles } from './settings.ts';
import { spawnOptions } from './spawn-options.ts';

async function runInitdb(binaries: Binaries, args: readonly string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(binaries.initdb, args, {
    ...spawnOptions,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = (): boolean => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  // Awaited even when aborted: it writes until it has ended.
  const [errors] = await Promise.all([text(child.stderr), once(child, 'close')]);
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (child.exitCode !== 0) throw new OperatorError(`PostgreSQL cannot create its files: ${reasonIn(errors)}`);
}

/** The error of initdb or of the server that it runs, without progress messages. */
function reasonIn(errors: string): string {
  const lines = errors.split('\n').filter((line) => !/^(?:child process |initdb: removing |$)/u.test(line));
  return lines.map((line) => line.replace(/^\d.*\](?= )/u, '').trim()).join(' ');
}

/** An empty private folder beside `final`, to be renamed when it is complete. */
export async function makeUnfinished(final: string): Promise<string> {
  const unfinished = `${final}.new-${randomBytes(4).toString('hex')}`;
  await mkdir(unfinished, { mode: 0o700 });
  return unfinished;
}

/** Makes an empty database cluster in the empty folder `dir`: UTF-8, sorted by code point, the same on every platform. */
export async function initCluster(binaries: Binaries, dir: string, signal: AbortSignal): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--auth=peer', `--username=${roles.superuser}`];
  await runInitdb(binaries, ['-D', dir, ...locale, ...access, '--no-instructions'], signal);
}

/** Flushes every file of a cluster to disk. */
export async function syncCluster(binaries: Binaries, dir: string, signal: AbortSignal): Promise<void> {
  await runInitdb(binaries, ['-D', dir, '--sync-only'], signal);
}

/** Replaces a file of a cluster. */
export async function writeClusterFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, content, { flag: 'wx', mode: 0o600 });
  await rename(temporary, path);
}

/** Updates the configuration files. On a full disk, a start without changes still succeeds. */
export async function writeConfiguration(dir: string, postgresConf: string): Promise<void> {
  const wanted = {
    'postgresql.conf': postgresConf,
    'pg_hba.conf': pgHbaConf,
    'pg_ident.conf': renderPgIdentConf(currentUser().name),
  };
  for (const [name, content] of Object.entries(wanted)) {
    const path = join(dir, name);
    if ((await readFile(path, 'utf8').catch(() => undefined)) !== content) await writeClusterFile(path, content);
  }
}

/** Marks a stopped copy as a standby: it will stream instead of becoming a primary. */
export async function markStandby(dir: string): Promise<void> {
  await writeClusterFile(join(dir, 'standby.signal'), '');
}
