import { DatabaseError } from 'pg';

import { backOff } from '../lib/backoff.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Endpoints } from './endpoint.ts';
import { classifyFailure, describeFailure } from './errors.ts';
import { inspectServers, type ServerFacts } from './server-facts.ts';

export interface WaitOptions {
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly random: () => number;
  readonly log: Log;
}

const delays = { baseMs: 250, maxMs: 5_000 };

/**
 * Connects to both servers, as often as it takes until the signal aborts, and says each time what it waits for.
 * What another attempt would not change (a wrong password, an unfit server) rejects at once. Rejects with `OperatorError`,
 * or PostgreSQL's own error.
 */
export async function waitForServers(
  endpoints: Endpoints,
  { connectTimeoutMs, signal, random, log }: WaitOptions,
): Promise<{ readonly write: ServerFacts; readonly read: ServerFacts }> {
  const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  let reason = 'no attempt was made';
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inspectServers(endpoints, session);
    } catch (error) {
      if (classifyFailure(error) !== 'unavailable') throw explainRefusal(error);
      reason = describeFailure(error);
      log.warn(
        { attempt, write: place(endpoints.write), read: place(endpoints.read), reason },
        'waiting for the databases',
      );
    }
    try {
      await backOff({ ...delays, random }, attempt, signal);
    } catch (cause) {
      throw new OperatorError(`The databases did not answer: ${reason}`, { cause });
    }
  }
}

function place({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

/** Errors of TLS have a code and no use for a stack; nor has the driver's word that the server speaks no TLS. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseError) return error;
  const isOfConnection = 'code' in error || error.message.includes('SSL');
  return isOfConnection
    ? new OperatorError(`No connection to the databases: ${describeFailure(error)}`, { cause: error })
    : error;
}
