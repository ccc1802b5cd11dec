import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, warn } from './finding.ts';

const sendersSql = `
  select current_setting('wal_level') as level, current_setting('max_wal_senders')::int as senders,
         (select count(*)::int from pg_stat_replication) as "usedSenders",
         current_setting('max_replication_slots')::int as slots,
         (select count(*)::int from pg_replication_slots) as "usedSlots"`;

interface Senders {
  readonly level: string;
  readonly senders: number;
  readonly usedSenders: number;
  readonly slots: number;
  readonly usedSlots: number;
}

/** Checks that another standby or a backup could start to stream from the primary. */
export const checkSenders: ServerCheck = async (server) => {
  const row = await askOne<Senders>(server, sendersSql);
  const subject = { check: 'room for standbys', where: server.where } as const;
  if (row.level === 'minimal')
    return [
      fail(
        subject,
        'wal_level is minimal',
        `No standby can follow, and no backup can be taken while it runs: ${await changeSetting(server, 'wal_level', 'replica')}.`,
      ),
    ];
  const found = `${row.usedSenders} of ${row.senders} senders, ${row.usedSlots} of ${row.slots} slots in use`;
  const [name, used, most] =
    row.usedSenders >= row.senders
      ? (['max_wal_senders', row.usedSenders, row.senders] as const)
      : (['max_replication_slots', row.usedSlots, row.slots] as const);
  if (used < most) return [ok(subject, found)];
  const advice = `A standby that reconnects, and a backup, need one more: ${await changeSetting(server, name, String(most + 10))}.`;
  return [warn(subject, found, advice)];
};
