import type { Server } from './about.ts';

/** Why a standby does not stream, as far as the two servers know. */
const standbySql = `
  select coalesce((select setting = '' from pg_settings where name = 'primary_conninfo'), false) as "isAlone",
         current_setting('primary_slot_name') as slot`;

interface Following {
  /** `primary_conninfo` is empty. */
  readonly isAlone: boolean;
  /** `primary_slot_name`; empty for none. */
  readonly slot: string;
}

const primarySql = `
  select (select wal_status from pg_replication_slots where slot_name = $1) as "walStatus",
         (select active_pid from pg_replication_slots where slot_name = $1) as holder,
         (select count(*)::int from pg_stat_replication) >= current_setting('max_wal_senders')::int as "isFull"`;

interface Sending {
  /** Null when there is no such slot. */
  readonly walStatus: string | null;
  /** Pid of the session that uses the slot. */
  readonly holder: number | null;
  readonly isFull: boolean;
}

/** Advice for a standby that does not stream. */
export async function explainSilence(primary: Server, standby: Server): Promise<string> {
  const [following] = await standby.ask<Following>(standbySql);
  if (following?.isAlone === true)
    return "It is told to follow nobody. On the standby: alter system set primary_conninfo = 'host=… user=…'; select pg_reload_conf().";
  const slot = following?.slot ?? '';
  const [sending] = await primary.ask<Sending>(primarySql, [slot]);
  const known = sending === undefined ? undefined : explainPrimary(slot, sending);
  return (
    known ??
    "The standby's log says why it cannot follow: the address or password in primary_conninfo, pg_hba.conf of the primary, or the network."
  );
}

function explainPrimary(slot: string, { walStatus, holder, isFull }: Sending): string | undefined {
  if (isFull) return 'The primary has no sender left: raise max_wal_senders there, and restart it.';
  if (slot === '') return undefined;
  if (walStatus === null)
    return `Its slot is not there. On the primary: select pg_create_physical_replication_slot('${slot}').`;
  if (walStatus === 'lost')
    return `WAL that it needs was removed, its slot ${slot} is lost: rebuild the standby (docs/operations.md).`;
  if (holder !== null)
    return `Another standby uses its slot ${slot} (pid ${holder} of the primary): give each its own slot, primary_slot_name.`;
  return undefined;
}
