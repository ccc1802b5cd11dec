import { changeSetting } from './change-setting.ts';
import type { PairCheck, Server } from './about.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

/** With a lower value than its primary, a standby pauses replay and cannot restart (manual, "Hot Standby"). */
const least = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

/** Settings whose difference matters after a promotion, and that no other check covers on a standby. */
const equal = [
  'synchronous_standby_names',
  'fsync',
  'full_page_writes',
  'autovacuum',
  'track_counts',
  'wal_level',
  'archive_mode',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'password_encryption',
  'default_transaction_read_only',
] as const;

/** The values of the configuration file: our sessions set some of them themselves. */
const settingsSql = `select name, reset_val as value from pg_settings where name = any($1)`;

async function read({ ask }: Server): Promise<Map<string, string>> {
  const rows = await ask<{ name: string; value: string }>(settingsSql, [[...least, ...equal]]);
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** The first setting with a lower value on the standby, which stops replay. */
export async function findShort(primary: Server, standby: Server): Promise<string | undefined> {
  const [needed, has] = [await read(primary), await read(standby)];
  return least.find((name) => Number(has.get(name) ?? 0) < Number(needed.get(name) ?? 0));
}

/** Checks that the standby can follow this primary, and could replace it. */
export const checkAlike: PairCheck = async (primary, standby) => {
  const subject = { check: 'standby settings', where: standby.where } as const;
  const [ofPrimary, ofStandby] = [await read(primary), await read(standby)];
  const findings: Finding[] = [];
  for (const name of least) {
    const [needed = '0', has = '0'] = [ofPrimary.get(name), ofStandby.get(name)];
    if (Number(has) >= Number(needed)) continue;
    const advice = `Replay pauses, and the standby does not start again. On the standby: ${await changeSetting(standby, name, needed)}.`;
    findings.push(fail(subject, `${name} is ${has} on the standby, ${needed} on the primary`, advice));
  }
  for (const name of equal) {
    const [there = '', here = ''] = [ofPrimary.get(name), ofStandby.get(name)];
    if (there === here) continue;
    const advice = `After a promotion the standby's value is in force. On the standby: ${await changeSetting(standby, name, there)}.`;
    findings.push(warn(subject, `${name} is ${here} on the standby, ${there} on the primary`, advice));
  }
  return findings.length > 0 ? findings : [ok(subject, 'alike')];
};
