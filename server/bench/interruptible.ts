import { CommanderError } from 'commander';

import { endChildrenWithUs } from '../../scripts/end-children.ts';

/**
 * Runs a whole program. A signal aborts the argument of `main`; `main` ends everything that it started and rejects, and
 * the exit code is
 * 130. commander has already reported bad options.
 */
export async function runInterruptibly(main: (signal: AbortSignal) => Promise<void>): Promise<void> {
  endChildrenWithUs();
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
  try {
    await main(interrupt.signal);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else if (interrupt.signal.aborted) process.exitCode = 130;
    else throw error;
    if (interrupt.signal.aborted) console.error('interrupted: nothing is left running, nothing was written');
  }
}
