import type { AskedServer } from '../db/asked-server.ts';
import type { PairCheck, ServerCheck } from './about.ts';
import { fail, grade, ok, warn, type Finding } from './finding.ts';

/** Below it nobody notices: reads with a token wait 20 ms, and a page is as old as its network. */
const warnLagMs = 1_000;

const receiverSql = `
  select (select status from pg_stat_wal_receiver) as status,
         pg_get_wal_replay_pause_state() <> 'not paused' as paused,
         coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000, 0)::float8 as "ageMs",
         (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::float8 as replayed`;

const flushedSql = `select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::float8 as flushed`;

interface Receiver {
  /** Null when it does not run. */
  readonly status: string | null;
  readonly paused: boolean;
  /** Of the last transaction that was replayed; old also when nothing was written since. */
  readonly ageMs: number;
  /** Null when nothing was replayed. */
  readonly replayed: number | null;
}

/** Whether the standby follows, and how far behind it is. */
export const checkReplication: PairCheck = async (primary, standby, { maxLagMs }) => {
  const [flushed] = await primary.ask<{ flushed: number }>(flushedSql);
  const [receiver] = await standby.ask<Receiver>(receiverSql);
  if (flushed === undefined || receiver === undefined) throw new Error('the servers said nothing of replication');
  const behind = Math.max(0, flushed.flushed - (receiver.replayed ?? 0));
  const lagMs = behind === 0 ? 0 : receiver.ageMs;
  return [
    gradeReceiver(receiver),
    grade(
      { check: 'lag', where: 'standby' },
      lagMs,
      { warn: Math.min(warnLagMs, maxLagMs), fail: maxLagMs },
      `${Math.round(behind)} bytes, ${Math.round(lagMs)} ms`,
      `Beyond ${maxLagMs} ms (DB_READ_MAX_LAG_MS) all reads go to the primary, before that those with a newer token. ` +
        'Look for a paused replay, a long read on the standby, or a slow disk or network.',
    ),
  ];
};

function gradeReceiver({ status, paused }: Receiver): Finding {
  const subject = { check: 'replication', where: 'standby' } as const;
  if (paused) return fail(subject, 'replay is paused', 'On the standby: select pg_wal_replay_resume().');
  if (status === 'streaming') return ok(subject, 'streaming');
  const advice = "The standby's log says why it cannot follow: primary_conninfo, the slot, or the network.";
  return fail(subject, `not streaming (${status ?? 'no receiver'})`, advice);
}

const slotsSql = `select slot_name as name, active, wal_status as "walStatus",
    coalesce(pg_current_wal_lsn() - restart_lsn, 0)::float8 as "heldBytes", current_setting('max_slot_wal_keep_size') as most
  from pg_replication_slots where not temporary order by 1`;

interface Slot {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string | null;
  readonly heldBytes: number;
  readonly most: string;
}

/** Slots keep WAL for who follows; one that nobody uses fills the disk. */
export const checkSlots: ServerCheck = async ({ ask }) => {
  const slots = await ask<Slot>(slotsSql);
  if (slots.length > 0) return slots.map(gradeSlot);
  return [ok({ check: 'replication slots', where: 'primary' }, 'none')];
};

function gradeSlot({ name, active, walStatus, heldBytes, most }: Slot): Finding {
  const subject = { check: 'replication slots', where: 'primary' } as const;
  const held = `holds ${Math.round(heldBytes / 2 ** 20)} MB`;
  if (walStatus === 'lost') {
    return fail(
      subject,
      `${name} is lost`,
      'WAL that its standby needs was removed: make the standby anew, or drop the slot.',
    );
  }
  if (!active) {
    const advice = `Start its standby, or drop it: select pg_drop_replication_slot('${name}').`;
    return (most === '-1' ? fail : warn)(subject, `${name} is used by nobody and ${held}`, advice);
  }
  if (walStatus === 'unreserved') {
    return warn(
      subject,
      `${name} ${held}, more than max_slot_wal_keep_size`,
      'Its standby is about to be cut off: see its lag.',
    );
  }
  return most === '-1'
    ? warn(
        subject,
        `${name} ${held}`,
        'Set max_slot_wal_keep_size: a standby that is away could fill the disk of the primary.',
      )
    : ok(subject, `${name} ${held}`);
}

/** Reads that replay has cancelled since the statistics began. */
export const checkConflicts: ServerCheck = async ({ role: where, ask }: AskedServer) => {
  const sql = `select (confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock)::int as count
    from pg_stat_database_conflicts where datname = current_database()`;
  const [row] = await ask<{ count: number }>(sql);
  const subject = { check: 'cancelled reads', where };
  const count = row?.count ?? 0;
  if (count === 0) return [ok(subject, 'none')];
  return [
    warn(
      subject,
      `${count} since the statistics began`,
      'Set hot_standby_feedback = on, and keep statements on the standby short.',
    ),
  ];
};
