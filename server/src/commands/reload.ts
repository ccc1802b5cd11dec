import { setTimeout as sleep } from 'node:timers/promises';

import type { LoadedConfig } from '../config.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { readReloads, runFolderOf, type Reloads } from '../run-folder.ts';
import { exitCodes, type Io } from './io.ts';

const everyMs = 100;

/**
 * `messenger reload`: requests a reload of the running server, waits for it and prints its outcome. Resolves with the exit code.
 */
export async function reload({ config }: LoadedConfig, io: Io): Promise<number> {
  const folder = runFolderOf(config);
  if (folder === undefined)
    throw new OperatorError(
      'A server on external databases is found by MESSENGER_RUN_DIR, which is not set. Set it for the server and for this ' +
        'command, or send SIGHUP to the server: its log tells how the reload ended.',
    );
  const server = await findRunningServer(folder);
  if (server === undefined) throw new OperatorError(`No server runs on ${folder}.`);
  const before = await readReloads(folder);
  if (before === undefined)
    throw new OperatorError('The server does not serve yet; it has just read its configuration.');
  process.kill(server.pid, 'SIGHUP');
  const { isGood, text } = await isDone(folder, before.begun + 1, server.pid);
  (isGood ? io.out : io.err)(`${text}\n`);
  return isGood ? exitCodes.ok : exitCodes.failed;
}

/** Each step of a reload has a deadline in the server, so this has none. Rejects when the server ends. */
async function isDone(folder: string, wanted: number, pid: number): Promise<Reloads> {
  for (;;) {
    const reloads = await readReloads(folder);
    if (reloads !== undefined && reloads.done >= wanted) return reloads;
    if ((await findRunningServer(folder))?.pid !== pid)
      throw new OperatorError('The server has ended before the reload was done.');
    await sleep(everyMs);
  }
}
