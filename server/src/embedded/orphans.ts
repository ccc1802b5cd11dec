import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, readlink, realpath, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

import type { Log } from '../telemetry/log.ts';
import { errorCode } from '../lib/error-code.ts';
import { becomesTrue } from './wait.ts';

const run = promisify(execFile);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** A postmaster's working directory is its data directory, however the path is spelled. */
async function servesOnLinux(pid: number, dir: string): Promise<boolean> {
  const [command, cwd] = await Promise.all([readFile(`/proc/${pid}/cmdline`, 'utf8'), readlink(`/proc/${pid}/cwd`)]);
  return basename(command.split('\0')[0] ?? '') === 'postgres' && cwd === dir;
}

async function servesElsewhere(pid: number, dir: string): Promise<boolean> {
  const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
  return /(^|\/)postgres -D /.test(stdout) && stdout.trimEnd().endsWith(` -D ${dir}`);
}

/** Whether `pid` is a postmaster of the data directory `dir`, not another process that reuses the number. */
async function isPostmasterOf(pid: number, dir: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const serves = process.platform === 'linux' ? servesOnLinux : servesElsewhere;
  return serves(pid, await realpath(dir)).catch(() => false);
}

interface ServerProcess {
  readonly pid: number;
  readonly parent: number;
}

/** The title of a postmaster's child; a postmaster or `postgres --single` has its command line instead. */
const childTitle = 'postgres: ';

async function readChild(pid: number, dir: string): Promise<ServerProcess | undefined> {
  const about = `/proc/${pid}`;
  const [title, cwd] = await Promise.all([readFile(`${about}/cmdline`, 'utf8'), readlink(`${about}/cwd`)]);
  if (!title.startsWith(childTitle) || cwd !== dir) return undefined;
  const parent = /^PPid:\t(\d+)$/m.exec(await readFile(`${about}/status`, 'utf8'))?.[1];
  return { pid, parent: Number(parent) };
}

async function childrenOnLinux(dir: string): Promise<ServerProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  // Processes that end meanwhile, or belong to other users, cannot be read.
  const found = await Promise.all(pids.map((pid) => readChild(pid, dir).catch(() => undefined)));
  return found.filter((one) => one !== undefined);
}

async function worksIn(pid: number, dir: string): Promise<boolean> {
  const { stdout } = await run('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn']);
  return stdout.split('\n').includes(`n${dir}`);
}

async function childrenElsewhere(dir: string): Promise<ServerProcess[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,command=']);
  const lines = stdout.matchAll(/^ *(\d+) +(\d+) postgres: /gm);
  const found = Array.from(lines, ([, pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
  const here = await Promise.all(found.map(async ({ pid }) => worksIn(pid, dir).catch(() => false)));
  return found.filter((_, index) => here[index]);
}

async function readPidFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Escalation: fast shutdown, immediate shutdown, and SIGKILL, which a stopped process cannot ignore. Waits in ms. */
const measures = [
  ['SIGINT', 5_000],
  ['SIGQUIT', 6_000],
  ['SIGKILL', 2_000],
] as const;

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function stopOrphan(pid: number, dir: string): Promise<void> {
  for (const [signal, waitMs] of measures) {
    // Checked each time: once the orphan is gone, another process may reuse its number.
    if (!(await isPostmasterOf(pid, dir))) return;
    send(pid, signal);
    if (await becomesTrue(async () => !(await isPostmasterOf(pid, dir)), waitMs)) return;
  }
  throw new Error(`The PostgreSQL process ${pid} of ${dir}, left by an earlier run, does not end.`);
}

/**
 * Replaces a pid that another process uses now with ours. PostgreSQL recognises its parent's pid in this file as stale,
 * but still checks that no old backend uses the shared memory named there; without the file it could not.
 */
async function disownPid(path: string, content: string): Promise<void> {
  const { mode } = await lstat(path);
  const lines = content.split('\n');
  await writeFile(`${path}.new`, [process.pid, ...lines.slice(1)].join('\n'), { flag: 'wx', mode });
  await rename(`${path}.new`, path);
}

/**
 * Makes a data directory free to start: stops the postmaster that an earlier run left on it, and no other process, even
 * if its pid is in the file. Only for the holder of the data folder's lock.
 */
export async function settleOrphan(dir: string, log: Log): Promise<void> {
  const path = join(dir, 'postmaster.pid');
  const content = await readPidFile(path);
  const pid = Number.parseInt(content ?? '', 10);
  if (content === undefined || !(pid > 0) || !isAlive(pid)) return;
  if (!(await isPostmasterOf(pid, dir))) return disownPid(path, content);
  log.warn({ pid, dir }, `stopping PostgreSQL (pid ${pid}), which an earlier run left on ${dir}`);
  await stopOrphan(pid, dir);
}

/**
 * Kills backends that outlived their postmaster. They usually end by themselves, except stopped ones and those that
 * wait for a lock whose holder was killed, too: these wait for ever, and no new postmaster can start while they hold
 * the shared memory. Nothing is lost: the next start recovers from the WAL. Children of a living postmaster are not
 * touched.
 */
export async function endStragglers(dir: string, log: Log): Promise<void> {
  const path = await realpath(dir);
  const children = await (process.platform === 'linux' ? childrenOnLinux(path) : childrenElsewhere(path));
  for (const { pid, parent } of children) {
    if (await isPostmasterOf(parent, dir)) continue;
    log.warn({ pid, dir }, `ending a PostgreSQL process (pid ${pid}) that has outlived its postmaster`);
    send(pid, 'SIGKILL');
  }
}
