import { DatabaseError } from 'pg';

import { backOff } from '../lib/backoff.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import { placeOf, type Endpoints } from './endpoint.ts';
import { classifyFailure, describeFailure } from './errors.ts';
import { areOneServer } from './identity.ts';
import { NoPrimaryError } from './locate-primary.ts';
import { inspectServers, type InspectedServers } from './server-facts.ts';

export interface WaitOptions {
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly random: () => number;
  readonly log: Log;
  /** Called after each failed attempt: whether to continue without the primary. Then this rejects with the reason. */
  readonly isEnough?: (() => Promise<boolean>) | undefined;
}

const delays = { baseMs: 250, maxMs: 5_000 };

const waiting = 'waiting for the databases';
const waitingLine = { level: 'warn', key: 'wait', one: waiting, many: waiting } as const;

/**
 * Finds the primary and connects to the read servers, with retries until the signal aborts, and logs what it waits for.
 * One of several read servers is enough: the others may come later. Rejects at once for what a retry would not change
 * (a wrong password, an unfit server), with `OperatorError` or PostgreSQL's own error.
 */
export async function waitForServers(endpoints: Endpoints, options: WaitOptions): Promise<InspectedServers> {
  const attempts = new RepeatLog(options.log);
  try {
    return await keepAsking(endpoints, options, attempts);
  } finally {
    attempts.close();
  }
}

async function keepAsking(
  endpoints: Endpoints,
  { connectTimeoutMs, signal, random, log, isEnough }: WaitOptions,
  attempts: RepeatLog,
): Promise<InspectedServers> {
  const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  let reason = 'no attempt was made';
  let unknownNames = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const servers = await inspectServers(endpoints, session);
      tellOddities(endpoints, servers, log);
      return servers;
    } catch (error) {
      const refusal = explainSettings(error);
      if (refusal !== undefined) throw refusal;
      if (!(error instanceof NoPrimaryError) && classifyFailure(error) !== 'unavailable') throw explainRefusal(error);
      reason = describeFailure(error);
      unknownNames = isUnknownName(error) ? unknownNames + 1 : 0;
      if (unknownNames === maxUnknownNames) throw new OperatorError(`No such host: ${reason}`, { cause: error });
      const servers = { write: listWrites(endpoints), read: endpoints.reads.map(placeOf).join(', ') };
      const fields = { attempt, ...servers, reason };
      attempts.add(waitingLine, () => fields);
    }
    const noAnswer = `The databases did not answer: ${reason}`;
    if ((await isEnough?.()) === true) throw new OperatorError(noAnswer);
    try {
      await backOff({ ...delays, random }, attempt, signal);
    } catch (cause) {
      throw new OperatorError(noAnswer, { cause });
    }
  }
}

/**
 * About 4 s: DNS may learn a name while containers start, but a typing error should not take the whole start time-out.
 */
const maxUnknownNames = 5;

function isUnknownName(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND';
}

/** Logs problems that do not prevent a start. */
function tellOddities(
  endpoints: Endpoints,
  { endpoints: found, write, reads, away }: InspectedServers,
  log: Log,
): void {
  if (found.write !== endpoints.write)
    log.info({ primary: placeOf(found.write) }, 'the primary is not the first of the write hosts');
  for (const { endpoint, error } of away)
    log.warn(
      { read: placeOf(endpoint), reason: describeFailure(error) },
      'a read server is unavailable: starting without it',
    );
  const primaries = endpoints.reads.length === 1 ? [] : reads.filter(({ facts }) => areOneServer(facts, write));
  for (const { endpoint } of primaries)
    log.info({ read: placeOf(endpoint) }, 'a read server is the primary itself: it gets reads while no standby is fit');
}

/** The write hosts, and the read hosts, which may have been promoted. */
function listWrites({ write, otherWrites = [] }: Endpoints): string {
  return [write, ...otherWrites].map(placeOf).join(', ');
}

/** PgBouncer's message about an unknown setting, with the SQLSTATE of a broken connection. */
const poolerWords = /^unsupported startup parameter/u;

/** A server that refuses a setting of our sessions: a pooler, or one that is too old to have it (42704). */
function explainSettings(error: unknown): OperatorError | undefined {
  if (!(error instanceof DatabaseError)) return undefined;
  const reason = describeFailure(error);
  if (poolerWords.test(error.message))
    return new OperatorError(
      `A pooler refuses a setting that Messenger's sessions require: ${reason}. Add ignore_startup_parameters and ` +
        'connect_query of deploy/pgbouncer/pgbouncer.ini to its configuration (docs/operations.md#pgbouncer).',
      { cause: error },
    );
  if (error.code !== '42704') return undefined;
  return new OperatorError(
    `A database refuses a setting that Messenger's sessions require: ${reason}. Messenger needs PostgreSQL 18 or newer.`,
    { cause: error },
  );
}

/** TLS errors, and the driver's message about a server without TLS, need no stack. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseError) return error;
  const isOfConnection = 'code' in error || error.message.includes('SSL');
  return isOfConnection
    ? new OperatorError(`No connection to the databases: ${describeFailure(error)}`, { cause: error })
    : error;
}
