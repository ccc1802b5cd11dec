import type { Client } from 'pg';

import { OperatorError } from '../lib/operator-error.ts';
import { placeOf, type Endpoint } from './endpoint.ts';
import { withClient } from './session.ts';

const settingsSql = `select current_setting('synchronous_standby_names') as names, current_setting('synchronous_commit') as "commit"`;

/** With these settings, commits return when the standby has flushed them. */
const confirmed = new Set(['on', 'remote_apply']);

/**
 * Rejects with `OperatorError`, and the lines to set, when commits on this primary do not wait for a standby's disk.
 */
export async function assertStandbyDurability(primary: Endpoint, connectTimeoutMs: number): Promise<void> {
  const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  const { names, commit } = await withClient(primary, session, readSettings);
  if (names !== '' && confirmed.has(commit)) return;
  throw new OperatorError(
    `DURABILITY=standby: commits on the primary ${placeOf(primary)} do not wait for the disk of a standby ` +
      `(synchronous_standby_names = '${names}', synchronous_commit = ${commit}). As superuser on the primary, and on every ` +
      "standby that may be promoted: alter system set synchronous_standby_names = 'ANY 1 (*)'; select pg_reload_conf(). Or " +
      'set DURABILITY=disk.',
  );
}

async function readSettings(client: Client): Promise<{ readonly names: string; readonly commit: string }> {
  const { rows } = await client.query<{ names: string; commit: string }>(settingsSql);
  const [row] = rows;
  if (row === undefined) throw new Error('the server returned no durability settings');
  return row;
}

/** The number of standbys that must confirm: `FIRST 2 (a, b)`, `ANY 2 (*)`, `2 (a, b)`; 1 for a plain list. */
export function countNeeded(names: string): number {
  if (names.trim() === '') return 0;
  return Number(/^\s*(?:(?:first|any)\s+)?(\d+)\s*\(/iu.exec(names)?.[1] ?? 1);
}
