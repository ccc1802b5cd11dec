import { setTimeout as sleep } from 'node:timers/promises';

import type { QueryResultRow } from 'pg';

import { placeOf, type Endpoint, type Endpoints } from '../db/endpoint.ts';
import { describeFailure } from '../db/errors.ts';
import { locatePrimary } from '../db/locate-primary.ts';
import { withClient, type SessionOptions } from '../db/session.ts';
import { OperatorError } from '../lib/operator-error.ts';

const session: SessionOptions = {
  applicationName: 'messenger backup',
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 5_000,
  answerTimeoutMs: 6_000,
};

/** Time for a standby to replay what was committed before the backup. */
const catchUpMs = 10_000;
const pollMs = 100;

/** The first with `BASE_BACKUP` as used here, and with `uuidv7()` of the schema. */
const oldestVersion = 180_000;

const primarySql = `
  select current_setting('server_version_num')::int as version, pg_current_wal_flush_lsn()::text as position,
         system_identifier::text as system
  from pg_control_system()`;

const standbySql = `
  select pg_is_in_recovery() and system_identifier::text = $1
         and coalesce(pg_last_wal_replay_lsn() >= $2::pg_lsn, false) as "hasAll"
  from pg_control_system()`;

interface Primary {
  readonly version: number;
  readonly position: string;
  readonly system: string;
}

/**
 * The server to copy: a standby that has replayed everything committed before this call, else the primary. So a backup
 * contains everything acknowledged before it began. `note` gets the reason why a standby is not used.
 */
export async function chooseSource(
  configured: Endpoints,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<Endpoint> {
  const { write, reads } = await locatePrimary(configured, session);
  const primary = await ask<Primary>(write, primarySql);
  if (primary.version < oldestVersion)
    throw new OperatorError(
      `${placeOf(write)} is PostgreSQL ${Math.floor(primary.version / 10_000)}, and \`messenger backup\` needs 18 or newer.`,
    );
  for (const standby of reads.filter((read) => placeOf(read) !== placeOf(write))) {
    const reason = await whyNot(standby, primary, signal);
    if (reason === undefined) return standby;
    note(`the backup is not taken from ${placeOf(standby)}: ${reason}`);
  }
  return write;
}

async function ask<Row extends QueryResultRow>(
  endpoint: Endpoint,
  sql: string,
  values: readonly string[] = [],
): Promise<Row> {
  const { rows } = await withClient(endpoint, session, async (client) => client.query<Row>(sql, [...values]));
  const [row] = rows;
  if (row === undefined) throw new Error('the server returned no facts');
  return row;
}

async function whyNot(standby: Endpoint, primary: Primary, signal: AbortSignal): Promise<string | undefined> {
  const { system, position } = primary;
  const giveUp = AbortSignal.timeout(catchUpMs);
  try {
    while (!giveUp.aborted) {
      const { hasAll } = await ask<{ hasAll: boolean }>(standby, standbySql, [system, position]);
      if (hasAll) return undefined;
      await sleep(pollMs, undefined, { signal });
    }
    return `it is not a standby of the primary, or is more than ${catchUpMs / 1_000} s behind`;
  } catch (error) {
    signal.throwIfAborted();
    return describeFailure(error);
  }
}
