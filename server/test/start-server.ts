import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { compileCache, copyPreparedData } from '../src/embedded/test-data.ts';
import { waitFor } from './wait-for.ts';

export const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const startMs = 30_000;

export interface RunOptions {
  /** Of another checkout; default: `main`. */
  readonly program?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The user who runs it; default: the user of the tests. */
  readonly uid?: number;
  /** The limit of open files of each process; default: that of the tests. */
  readonly openFiles?: number | undefined;
}

/** A `messenger` process and its output so far. */
export class Run {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  get pid(): number {
    assert(this.child.pid !== undefined, 'the process was started');
    return this.child.pid;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Its start summary is complete. */
  get isServing(): boolean {
    return /^ +stop /mu.test(this.stdout);
  }

  get url(): string {
    const url = /^ +URL +(\S+)$/mu.exec(this.stdout)?.[1];
    assert(url !== undefined, `the server prints its URL; its output:\n${this.stdout}\n${this.stderr}`);
    return url;
  }

  /** Resolves with the exit code, or the name of the signal that ended it. */
  async ended(): Promise<number | string> {
    if (!this.hasEnded) await once(this.child, 'close');
    return this.child.exitCode ?? this.child.signalCode ?? 'unknown';
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }
}

/** Runs `messenger` with these arguments, on the real command line. */
export async function run({ program: script = main, args = [], env = {}, uid, openFiles }: RunOptions): Promise<Run> {
  // Without realtime, unless the test is about it: a feed for each server takes time.
  const clean = { PATH: process.env['PATH'] ?? '', REALTIME: 'off', ...compileCache() };
  const identity = uid === undefined ? {} : { uid, gid: uid };
  const limited = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`];
  const [program = process.execPath, ...rest] = [...limited, process.execPath, script, ...args];
  const child = spawn(program, rest, {
    env: { ...clean, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...identity,
  });
  return new Run(child);
}

/** Creates a user, on a new connection: any worker may get it. */
export async function createUser({ url }: Run, first = 'Ada'): Promise<Response> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const body = JSON.stringify({ first_name: first, last_name: 'Lovelace' });
  return await fetch(`${url}/api/v1/users`, { method: 'POST', headers, body });
}

/** Creates the databases of a data folder, with a server that starts and stops. */
export async function makeDatabases(dataDir: string): Promise<void> {
  const server = await run({ args: ['start', '--port', '0', '--workers', '1', '--data-dir', dataDir] });
  await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
  if (!server.hasEnded) server.kill('SIGTERM');
  assert.equal(await server.ended(), 0, server.stderr);
}

/** Folders and servers of a test file; remaining ones are removed and ended at its end. */
export function useServers(): {
  readonly folder: () => Promise<string>;
  /** A data folder with prepared databases; for tests that are not about their creation. */
  readonly data: () => Promise<string>;
  /** Resolves when the server serves, with one worker unless the options say otherwise. */
  readonly start: (dataDir: string, options?: RunOptions) => Promise<Run>;
  /** Resolves when a server that must not start has ended. */
  readonly startRefused: (dataDir: string, options?: RunOptions) => Promise<Run>;
} {
  const folders: string[] = [];
  const runs: Run[] = [];
  const attempt = async (dataDir: string, { args = [], ...options }: RunOptions = {}): Promise<Run> => {
    const all = ['start', '--port', '0', '--workers', '1', '--data-dir', dataDir, ...args];
    const server = await run({ args: all, ...options });
    runs.push(server);
    return server;
  };
  after(async () => {
    for (const one of runs) if (!one.hasEnded) one.kill('SIGKILL');
    await Promise.all(runs.map(async (one) => one.ended()));
    for (const folder of folders) {
      await waitFor(`nothing to run on ${folder}`, () => processesOf(folder).length === 0);
      await rm(folder, { recursive: true, force: true });
    }
  });
  const makeFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'messenger-e2e-'));
    await chmod(folder, 0o755);
    folders.push(folder);
    return folder;
  };
  return {
    folder: makeFolder,
    data: async () => {
      const dataDir = join(await makeFolder(), 'data');
      await copyPreparedData('server', dataDir, makeDatabases);
      return dataDir;
    },
    start: async (dataDir, options) => {
      const server = await attempt(dataDir, options);
      await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
      assert(!server.hasEnded, `the server ended with the output:\n${server.stderr}`);
      return server;
    },
    startRefused: async (dataDir, options) => {
      const server = await attempt(dataDir, options);
      await waitFor('the server to end', () => server.hasEnded || server.isServing, startMs);
      assert(server.hasEnded, 'the server serves, and should have been refused');
      return server;
    },
  };
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return table.split('\n').flatMap((line) => {
    const [, pid, parent, command] = /^ *(\d+) +(\d+) (.*)$/u.exec(line) ?? [];
    return pid === undefined || parent === undefined || command === undefined
      ? []
      : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

/** Processes with this folder on their command line. */
export function processesOf(folder: string): Process[] {
  return processes().filter(({ command, pid }) => command.includes(folder) && pid !== process.pid);
}

/** The postmaster of the primary or the standby of a data folder. */
export function postmaster(dataDir: string, role: 'primary' | 'standby'): number | undefined {
  const dir = join(dataDir, role);
  return processes().find(({ command }) => /\/postgres -D /u.test(command) && command.includes(dir))?.pid;
}

export function childrenOf(pid: number): number[] {
  return processes()
    .filter(({ parent }) => parent === pid)
    .map((one) => one.pid);
}

/** The worker processes of a supervisor. */
export function workersOf(supervisor: number): number[] {
  return processes()
    .filter(({ parent, command }) => parent === supervisor && command.endsWith('main.ts'))
    .map(({ pid }) => pid);
}

/** The process of the feed of a supervisor. */
export function feedOf(supervisor: number): number | undefined {
  return processes().find(({ parent, command }) => parent === supervisor && command.includes('main.ts feed-process'))
    ?.pid;
}

export function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid && !one.command.includes('<defunct>'));
}
