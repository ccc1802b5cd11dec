import type { PairCheck } from './about.ts';
import { askOne } from './ask.ts';
import { ok, warn } from './finding.ts';

const standbySql = `select current_setting('primary_slot_name') as slot, current_setting('restore_command') <> '' as restores`;

interface Source {
  /** Empty for none. */
  readonly slot: string;
  /** Whether it can restore WAL from an archive. */
  readonly restores: boolean;
}

/** A cascading standby depends on the WAL of its upstream standby, so the primary has no sender without a slot. Attempts that fail are `startup`. */
const primarySql = `
  select current_setting('wal_keep_size') as kept, (select setting = '0' from pg_settings where name = 'wal_keep_size') as "keepsNone",
         exists (select from pg_stat_replication r
                 where r.state in ('catchup', 'streaming') and not exists (select from pg_replication_slots where active_pid = r.pid)) as "hasFollower"`;

interface Kept {
  readonly kept: string;
  readonly keepsNone: boolean;
  /** Whether a standby streams without a slot. */
  readonly hasFollower: boolean;
}

/** Checks that the primary keeps WAL for a disconnected standby. */
export const checkKeptWal: PairCheck = async (primary, standby) => {
  const source = await askOne<Source>(standby, standbySql);
  const sender = await askOne<Kept>(primary, primarySql);
  const subject = { check: 'retained WAL', where: standby.where } as const;
  if (source.slot !== '') return [ok(subject, `kept by the slot ${source.slot}`)];
  if (source.restores) return [ok(subject, 'from an archive (restore_command)')];
  if (!sender.keepsNone) return [ok(subject, `the last ${sender.kept} (wal_keep_size)`)];
  if (!sender.hasFollower) return [ok(subject, 'kept by another standby, which it follows')];
  const slot = standby.where.replaceAll(' ', '_');
  const advice =
    'After a pause the WAL that it needs may be gone, and it has to be rebuilt. ' +
    `On the primary: select pg_create_physical_replication_slot('${slot}'); on the standby: ` +
    `alter system set primary_slot_name = '${slot}'; select pg_reload_conf().`;
  return [warn(subject, 'none is kept: it has no slot, and wal_keep_size is 0', advice)];
};
