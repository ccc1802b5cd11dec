import type { PairCheck, Server } from './about.ts';
import { grantSight } from './access.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const primarySql = `
  select ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int as timeline,
         array(select application_name from pg_stat_replication) as followers`;

interface Primary {
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
  const [row] = await ask<Primary>(primarySql);
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
