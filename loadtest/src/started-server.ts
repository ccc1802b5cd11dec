import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { findDatabaseUrl } from './database-url.ts';
import { UsageError } from './usage-error.ts';

const program = fileURLToPath(new URL('../../server/bin/messenger.mjs', import.meta.url));

/** A first start creates two database clusters. */
const startMs = 90_000;
const stopMs = 60_000;
const hurriedStopMs = 5_000;

/** Ends the server and removes its folder when its input ends without a line: then this process was killed. */
const guardian = `
read -r _ && exit
kill -TERM "$1"
while kill -0 "$1"; do sleep 0.2; done
rm -rf "$2"
`;

export interface StartedServer {
  readonly pid: number;
  readonly baseUrl: string;
  /** Of its primary. */
  readonly databaseUrl: () => Promise<string>;
  /** Ends the server with SIGTERM (a second one when `atOnce` aborts, then SIGKILL) and removes its folder. */
  stop(atOnce: AbortSignal): Promise<void>;
}

export interface StartOptions {
  /** For the server's command line. */
  readonly options: readonly string[];
  readonly logFile: string;
  /** Aborts the start. */
  readonly stopping: AbortSignal;
}

/**
 * Starts a server on a free port and a temporary data folder, and resolves when it serves. It has its own process group, so that
 * Ctrl-C reaches only the run. Throws `UsageError` when the server does not start.
 */
export async function startServer({ options, logFile, stopping }: StartOptions): Promise<StartedServer> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-loadtest-'));
  await chmod(folder, 0o755); // Started as root, the databases run as another user, who must be able to enter.
  const log = await open(logFile, 'w');
  const given = ['--data-dir', join(folder, 'data'), ...options];
  const child = spawn(process.execPath, [program, 'start', '--port', '0', ...given], {
    stdio: ['ignore', 'pipe', log.fd],
    detached: true,
  });
  await log.close();
  const release = guard(child, folder);
  const stop = async (atOnce: AbortSignal): Promise<void> => {
    await endServer(child, atOnce);
    release();
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const baseUrl = await waitForUrl(child, AbortSignal.any([stopping, AbortSignal.timeout(startMs)]));
    return { pid: pidOf(child), baseUrl, databaseUrl: async () => await findDatabaseUrl(given), stop };
  } catch (cause) {
    await stop(AbortSignal.abort());
    if (stopping.aborted) throw cause;
    throw new UsageError(`The server did not start; ${logFile} says why.`, { cause });
  }
}

/** Returns the function that ends the guard, when the server has ended. */
function guard({ pid }: ChildProcess, folder: string): () => void {
  if (pid === undefined) return () => undefined;
  const { stdin } = spawn('/bin/sh', ['-c', guardian, 'guardian', String(pid), folder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return () => void stdin.end('over\n');
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the server was not started');
  return pid;
}

/** The server prints its URL when it serves. */
async function waitForUrl(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const found = Promise.withResolvers<string>();
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    const url = /^ +URL +(\S+)\n/mu.exec(said)?.[1];
    if (url !== undefined) found.resolve(url);
  });
  child.once('error', found.reject);
  child.once('exit', () => found.reject(new Error('the server has ended')));
  const abort = (): void => found.reject(new Error('the start was given up'));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await found.promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function endServer(child: ChildProcess, atOnce: AbortSignal): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const over = new AbortController();
  child.kill('SIGTERM');
  const hurry = (): void => {
    child.kill('SIGTERM');
    void killAfter(child, hurriedStopMs, over.signal);
  };
  if (atOnce.aborted) hurry();
  else atOnce.addEventListener('abort', hurry, { once: true });
  void killAfter(child, stopMs, over.signal);
  await exited;
  atOnce.removeEventListener('abort', hurry);
  over.abort();
}

async function killAfter(child: ChildProcess, ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
}
