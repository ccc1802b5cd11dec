import { setTimeout as sleep } from 'node:timers/promises';

import type { PairCheck, Server } from './about.ts';
import { grantSight } from './access.ts';
import { fail, grade, ok, warn, type Finding } from './finding.ts';

/** Positions in the log as numbers, which are exact up to 8 PB of it. */
const flushedSql = `
  select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::float8 as flushed,
         ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int as timeline,
         array(select application_name from pg_stat_replication) as followers`;

interface Primary {
  readonly flushed: number;
  readonly timeline: number;
  /** Names under which standbys stream from it. */
  readonly followers: readonly string[];
}

/**
 * One row, also when no receiver runs. Of one that runs, a role without `pg_monitor` is told the pid alone. The name is in the
 * connection string, the primary's own last word first.
 */
const receiverSql = `
  select status, pid is not null as "isThere", quote_ident(current_user) as "role",
         sender_host || ':' || sender_port as sender, received_tli as timeline,
         (regexp_match(conninfo, '(?:^| )application_name=([^ ]+)'))[1] as name,
         (regexp_match(conninfo, 'fallback_application_name=([^ ]+)'))[1] as "fallbackName",
         pg_get_wal_replay_pause_state() <> 'not paused' as paused,
         coalesce((select setting = '' from pg_settings where name = 'primary_conninfo'), false) as "isAlone"
  from (values (1)) as one left join pg_stat_wal_receiver on true`;

interface Receiver {
  /** Null when it does not run, and when it is hidden from our role. */
  readonly status: string | null;
  readonly isThere: boolean;
  readonly role: string;
  readonly sender: string | null;
  readonly timeline: number | null;
  readonly name: string | null;
  readonly fallbackName: string | null;
  readonly paused: boolean;
  /** No server is named that it should follow. */
  readonly isAlone: boolean;
}

/** Whether the standby follows this primary, directly or through another standby. */
export const checkReplication: PairCheck = async (primary, standby) => {
  const [receiver] = await standby.ask<Receiver>(receiverSql);
  const sender = await readPrimary(primary);
  if (receiver === undefined) throw new Error('the standby said nothing of replication');
  return [gradeReceiver(standby.where, receiver, sender)];
};

async function readPrimary({ ask }: Server): Promise<Primary> {
  const [row] = await ask<Primary>(flushedSql);
  if (row === undefined) throw new Error('the primary said nothing of its log');
  return row;
}

function gradeReceiver(where: Server['where'], receiver: Receiver, { timeline, followers }: Primary): Finding {
  const subject = { check: 'replication', where } as const;
  const { paused, status, sender } = receiver;
  if (paused) return fail(subject, 'replay is paused', 'On the standby: select pg_wal_replay_resume().');
  if (receiver.isThere && status === null)
    return warn(subject, 'it receives; from whom and how far is hidden from our role', grantSight(receiver.role));
  if (status !== 'streaming')
    return fail(subject, `not streaming (${status ?? 'no receiver'})`, explainSilence(receiver));
  if (receiver.timeline !== null && receiver.timeline !== timeline) {
    const found = `follows another primary (${sender ?? 'hidden'}): timeline ${receiver.timeline}, ours is on ${timeline}`;
    return fail(
      subject,
      found,
      'One of the two was promoted while the other went on. Decide which has the truth, stop the other, and make the standby anew from it.',
    );
  }
  const name = receiver.name ?? receiver.fallbackName;
  const isDirect = name === null || followers.includes(name);
  return ok(
    subject,
    isDirect ? 'streaming from the primary' : `streaming through another standby (${sender ?? 'hidden'})`,
  );
}

function explainSilence({ isAlone }: Receiver): string {
  return isAlone
    ? "It is told to follow nobody. On the standby: alter system set primary_conninfo = 'host=… user=…'; select pg_reload_conf()."
    : "The standby's log says why it cannot follow: the address or password in primary_conninfo, pg_hba.conf of the primary, its slot, or the network.";
}

/** How often the standby is asked whether it has caught up, and for how long at most. In ms. */
const askEveryMs = 20;
const mostPatienceMs = 5_000;

/**
 * How late the standby is: how long it takes to replay what the primary had flushed when we asked. So it needs no clock of
 * theirs, and is 0 where nothing is written.
 */
export const checkLag: PairCheck = async (primary, standby, { maxLagMs, limits }) => {
  const { flushed } = await readPrimary(primary);
  const startedMs = performance.now();
  const behind = flushed - (await readReplayed(standby));
  const patienceMs = Math.min(maxLagMs, mostPatienceMs);
  const hasCaughtUp = behind <= 0 || (await catchesUp(standby, flushed, startedMs + patienceMs));
  const lagMs = behind <= 0 ? 0 : hasCaughtUp ? performance.now() - startedMs : patienceMs;
  const ahead = -behind - ((await readPrimary(primary)).flushed - flushed);
  const subject = { check: 'lag', where: standby.where } as const;
  if (ahead > 0) {
    const advice =
      'It follows another server, or the primary was restored from a backup: make the standby anew from this primary.';
    return [fail(subject, `${ahead} bytes ahead of the primary`, advice)];
  }
  const bytes = `${Math.max(0, behind)} bytes`;
  const found = hasCaughtUp ? `${bytes}, ${Math.round(lagMs)} ms` : `${bytes}, not replayed within ${patienceMs} ms`;
  const advice =
    `Beyond ${maxLagMs} ms (DB_READ_MAX_LAG_MS) all reads go to the primary, before that those with a newer token. ` +
    'Look for a paused replay, a long read on the standby, or a slow disk or network.';
  const { warnLagMs } = limits;
  return [grade(subject, lagMs, { warn: Math.min(warnLagMs, maxLagMs), fail: maxLagMs }, found, advice)];
};

async function catchesUp(standby: Server, flushed: number, deadlineMs: number): Promise<boolean> {
  while (performance.now() < deadlineMs) {
    await sleep(askEveryMs);
    if ((await readReplayed(standby)) >= flushed) return true;
  }
  return false;
}

const replayedSql = `select (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::float8 as replayed`;

async function readReplayed({ ask }: Server): Promise<number> {
  const [row] = await ask<{ replayed: number | null }>(replayedSql);
  return row?.replayed ?? 0;
}

/** Reads that replay has cancelled since the statistics began. */
export const checkConflicts = async ({ where, ask }: Server): Promise<Finding[]> => {
  const sql = `select (confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock)::int as count
    from pg_stat_database_conflicts where datname = current_database()`;
  const [row] = await ask<{ count: number }>(sql);
  const subject = { check: 'cancelled reads', where } as const;
  const count = row?.count ?? 0;
  if (count === 0) return [ok(subject, 'none')];
  const advice =
    'On the standby: alter system set hot_standby_feedback = on; select pg_reload_conf(); and keep statements there short. ' +
    'The count begins anew with select pg_stat_reset().';
  return [warn(subject, `${count} since the statistics began`, advice)];
};
