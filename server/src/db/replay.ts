import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import type { EndpointPair } from './endpoint.ts';
import { withClient, type SessionOptions } from './session.ts';

const everyMs = 50;

/**
 * Waits until the read server has replayed everything committed on the write server so far, at most until the signal
 * aborts. Resolves with whether it has. A read server that is unavailable, or lacks the database, is queried again.
 */
export async function waitForReplay(
  { write, read }: EndpointPair,
  session: SessionOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const position = await withClient(write, session, flushedPosition);
  while (!signal.aborted) {
    const isThere = await withClient(read, session, async (client) => hasReplayed(client, position)).catch(() => false);
    if (isThere) return true;
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

async function flushedPosition(client: Client): Promise<string> {
  const { rows } = await client.query<{ position: string }>('select pg_current_wal_flush_lsn()::text as position');
  return rows[0]?.position ?? '0/0';
}

/** A read server that is no standby is the write server itself, and has nothing to replay. */
async function hasReplayed(client: Client, position: string): Promise<boolean> {
  const { rows } = await client.query<{ done: boolean }>(
    'select not pg_is_in_recovery() or pg_last_wal_replay_lsn() >= $1::pg_lsn as done',
    [position],
  );
  return rows[0]?.done === true;
}
