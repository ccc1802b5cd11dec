import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

import { errorCode } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * Unpacks a tar archive into a folder with the system's `tar`. Rejects with the error of the source, else with that of
 * `tar`.
 */
export async function unpack(archive: AsyncIterable<Buffer>, folder: string, signal: AbortSignal): Promise<void> {
  const child = spawn('tar', ['-x', '--no-same-owner', '-f', '-', '-C', folder], { stdio: ['pipe', 'ignore', 'pipe'] });
  const words = text(child.stderr);
  const ended = once(child, 'close').catch((cause: unknown) => {
    throw new OperatorError('The program `tar` cannot be run. Install it.', { cause });
  });
  const sent = pipeline(archive, child.stdin, { signal }).catch((error: unknown) => {
    child.kill();
    throw error;
  });
  const [sending, ending] = await Promise.allSettled([sent, ended]);
  // If `tar` ends first, the sender sees only a closed pipe.
  if (sending.status === 'rejected' && !['EPIPE', 'ECONNRESET'].includes(errorCode(sending.reason) ?? ''))
    throw sending.reason;
  if (ending.status === 'rejected') throw ending.reason;
  if (child.exitCode !== 0) throw new OperatorError(`The backup cannot be written: ${(await words).trim()}`);
}
