import type { Endpoint } from '../db/endpoint.ts';
import { launch, readyPrimary } from './launch.ts';
import { type EmbeddedOptions, openData } from './open-data.ts';
import { findRunningServer } from './server-record.ts';
import { endpointsIn } from './socket-folder.ts';

/** Time for the primary to stop after the work. */
const stopMs = 30_000;

/**
 * Runs `work` on the primary of a data folder: the running server's, if any, else one started for the purpose. For
 * one-off commands such as a migration; the standby catches up at the next start.
 */
export async function withPrimary<T>(
  options: EmbeddedOptions,
  signal: AbortSignal,
  work: (primary: Endpoint) => Promise<T>,
): Promise<T> {
  const running = await findRunningServer(options.dataDir);
  if (running !== undefined) return work(endpointsIn(running.sockets, options.synchronousCommit).write);
  const data = await openData(options, signal);
  try {
    const primary = await launch(data.context, 'primary', signal);
    try {
      await readyPrimary(data.context);
      return await work(data.context.endpoints.write);
    } finally {
      await primary.stop(AbortSignal.timeout(stopMs));
    }
  } finally {
    await data.close();
  }
}
