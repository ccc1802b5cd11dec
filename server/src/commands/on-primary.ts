import type { Config } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { locatePrimary } from '../db/locate-primary.ts';
import { withPrimary } from '../embedded/only-primary.ts';
import { externalEndpoints } from '../endpoints.ts';
import { monotonicClock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';

interface Command {
  /** Of the command, for its database sessions. */
  readonly name: string;
  readonly log: Log;
}

/** Runs `work` on the external primary, or on the embedded one: a running one, or one started for this command. */
export async function onPrimary<T>(
  config: Config,
  { name, log }: Command,
  signal: AbortSignal,
  work: (primary: Endpoint) => Promise<T>,
): Promise<T> {
  const external = externalEndpoints(config);
  if (external === undefined)
    return await withPrimary({ ...config.embedded, log, clock: monotonicClock }, signal, work);
  const { connectTimeoutMs } = config.db;
  const session = { applicationName: `messenger ${name}`, connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  return await unlessStopped(
    locatePrimary(external, session).then(async ({ write }) => work(write)),
    signal,
  );
}

/** The end of this process ends its session and so rolls back what was not committed. */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await Promise.race([work, stopped]);
}
