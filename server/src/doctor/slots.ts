import type { ServerCheck } from './about.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const slotsSql = `select slot_name as name, active, wal_status as "walStatus", slot_type as type, invalidation_reason as reason,
    coalesce(pg_current_wal_lsn() - restart_lsn, 0)::float8 as "heldBytes", current_setting('max_slot_wal_keep_size') as most
  from pg_replication_slots where not temporary order by 1`;

interface Slot {
  readonly name: string;
  readonly active: boolean;
  readonly type: 'physical' | 'logical';
  /** Why it is invalid; null while it is valid. */
  readonly reason: string | null;
  readonly walStatus: string | null;
  readonly heldBytes: number;
  /** `max_slot_wal_keep_size`; `-1` is no limit. */
  readonly most: string;
}

/** Slots keep WAL for standbys; an unused one fills the disk. */
export const checkSlots: ServerCheck = async (server) => {
  const slots = await server.ask<Slot>(slotsSql);
  const isEndless = slots.some(({ most }) => most === '-1');
  const setLimit = isEndless ? await changeSetting(server, 'max_slot_wal_keep_size', '1GB') : '';
  if (slots.length > 0) return slots.map((slot) => gradeSlot(slot, setLimit));
  return [ok({ check: 'replication slots', where: 'primary' }, 'none')];
};

const subject = { check: 'replication slots', where: 'primary' } as const;

function gradeSlot(slot: Slot, setLimit: string): Finding {
  const { name, active, walStatus, type, reason, most } = slot;
  const owner = type === 'logical' ? 'subscriber' : 'standby';
  const drop = `select pg_drop_replication_slot('${name}')`;
  if (walStatus === 'lost' || reason !== null) {
    const cause =
      reason === null || reason === 'wal_removed'
        ? `WAL that its ${owner} needs was removed`
        : `It is invalid (${reason})`;
    return fail(subject, `${name} is lost`, `${cause}: rebuild the ${owner}, or ${drop}.`);
  }
  const found = `${name} holds ${Math.round(slot.heldBytes / 2 ** 20)} MB`;
  if (!active) {
    const advice = `Start its ${owner}, or drop it: ${drop}.`;
    return most === '-1'
      ? fail(subject, `${found} for nobody, without a limit`, `${advice} And: ${setLimit}.`)
      : warn(subject, `${found} for nobody`, advice);
  }
  if (walStatus === 'unreserved')
    return warn(
      subject,
      `${found}, more than max_slot_wal_keep_size`,
      `Its ${owner} is about to lose WAL that it needs: see its lag.`,
    );
  if (most !== '-1') return ok(subject, found);
  return warn(
    subject,
    `${found}, without a limit`,
    `An unavailable standby could fill the disk of the primary: ${setLimit}.`,
  );
}
