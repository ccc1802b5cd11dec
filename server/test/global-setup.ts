import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { serversVariable } from './database.ts';

const program = fileURLToPath(new URL('run-databases.ts', import.meta.url));

let databases: ChildProcess | undefined;

/** One primary and one standby for all `*.pg.test.ts` of a run, with a migrated database that each file copies. */
export async function globalSetup(): Promise<void> {
  // In its own session: Ctrl-C ends the tests before their databases.
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  databases = child;
  const line = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).once('line', line.resolve);
  child.once('exit', () => line.reject(new Error('the test databases did not start')));
  process.env[serversVariable] = await line.promise;
}

export async function globalTeardown(): Promise<void> {
  if (databases === undefined || databases.exitCode !== null) return;
  const ended = once(databases, 'exit');
  databases.stdin?.end();
  await ended;
}
