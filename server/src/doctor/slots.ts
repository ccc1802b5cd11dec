import type { ServerCheck } from './about.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const slotsSql = `select slot_name as name, active, wal_status as "walStatus",
    coalesce(pg_current_wal_lsn() - restart_lsn, 0)::float8 as "heldBytes", current_setting('max_slot_wal_keep_size') as most
  from pg_replication_slots where not temporary order by 1`;

interface Slot {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string | null;
  readonly heldBytes: number;
  /** `max_slot_wal_keep_size`; `-1` is no limit. */
  readonly most: string;
}

/** Slots keep WAL for who follows; one that nobody uses fills the disk. */
export const checkSlots: ServerCheck = async ({ ask }) => {
  const slots = await ask<Slot>(slotsSql);
  if (slots.length > 0) return slots.map(gradeSlot);
  return [ok({ check: 'replication slots', where: 'primary' }, 'none')];
};

const subject = { check: 'replication slots', where: 'primary' } as const;
const setLimit = "alter system set max_slot_wal_keep_size = '1GB'; select pg_reload_conf()";

function gradeSlot(slot: Slot): Finding {
  const { name, active, walStatus, most } = slot;
  const drop = `select pg_drop_replication_slot('${name}')`;
  if (walStatus === 'lost')
    return fail(
      subject,
      `${name} is lost`,
      `WAL that its standby needs was removed: make the standby anew, or ${drop}.`,
    );
  const found = `${name} holds ${Math.round(slot.heldBytes / 2 ** 20)} MB`;
  if (!active) {
    const advice = `Start its standby, or drop it: ${drop}.`;
    return most === '-1'
      ? fail(subject, `${found} for nobody, without a limit`, `${advice} And: ${setLimit}.`)
      : warn(subject, `${found} for nobody`, advice);
  }
  if (walStatus === 'unreserved')
    return warn(
      subject,
      `${found}, more than max_slot_wal_keep_size`,
      'Its standby is about to be cut off: see its lag.',
    );
  if (most !== '-1') return ok(subject, found);
  return warn(
    subject,
    `${found}, without a limit`,
    `A standby that is away could fill the disk of the primary: ${setLimit}.`,
  );
}
