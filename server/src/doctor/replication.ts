import type { PairCheck, Server } from './about.ts';
import { askOne } from './ask.ts';
import { grantSight } from './access.ts';
import { findShort } from './alike.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { explainSilence } from './silence.ts';

const primarySql = `
  select ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int as timeline,
         array(select application_name from pg_stat_replication) as followers`;

interface Primary {
  readonly timeline: number;
  /** The application names of its standbys. */
  readonly followers: readonly string[];
}

/** Returns a row even without a WAL receiver. Without `pg_monitor`, a role sees only its pid. The names are in the connection string. */
const receiverSql = `
  select status, pid is not null as "isThere", quote_ident(current_user) as "role",
         sender_host || ':' || sender_port as sender, received_tli as timeline,
         (regexp_match(conninfo, '(?:^| )application_name=([^ ]+)'))[1] as name,
         (regexp_match(conninfo, 'fallback_application_name=([^ ]+)'))[1] as "fallbackName",
         pg_get_wal_replay_pause_state() <> 'not paused' as paused
  from (values (1)) as one left join pg_stat_wal_receiver on true`;

interface Receiver {
  /** Null when it does not run, or when our role cannot see it. */
  readonly status: string | null;
  readonly isThere: boolean;
  readonly role: string;
  readonly sender: string | null;
  readonly timeline: number | null;
  readonly name: string | null;
  readonly fallbackName: string | null;
  readonly paused: boolean;
}

/** Checks that the standby follows this primary, directly or through another standby. */
export const checkReplication: PairCheck = async (primary, standby) => {
  const receiver = await askOne<Receiver>(standby, receiverSql);
  const sender = await askOne<Primary>(primary, primarySql);
  const subject = { check: 'replication', where: standby.where } as const;
  if (receiver.paused) return [fail(subject, 'replay is paused', await explainPause(primary, standby))];
  if (receiver.isThere || receiver.status !== null) return [gradeReceiver(standby.where, receiver, sender)];
  return [fail(subject, 'not streaming (no receiver)', await explainSilence(primary, standby))];
};

function gradeReceiver(where: Server['where'], receiver: Receiver, { timeline, followers }: Primary): Finding {
  const subject = { check: 'replication', where } as const;
  const { status, sender } = receiver;
  if (receiver.isThere && status === null)
    return warn(subject, 'it receives WAL; source and position are hidden from our role', grantSight(receiver.role));
  if (status !== 'streaming')
    return fail(
      subject,
      `not streaming (${status})`,
      'It has found its primary and is about to stream: run doctor again.',
    );
  if (receiver.timeline !== null && receiver.timeline !== timeline) {
    const found = `follows another primary (${sender ?? 'hidden'}): timeline ${receiver.timeline}, ours is on ${timeline}`;
    return fail(
      subject,
      found,
      'One of the two was promoted while the other continued. Decide which one is right, stop the other, and rebuild the standby from it.',
    );
  }
  const name = receiver.name ?? receiver.fallbackName;
  const isDirect = name === null || followers.includes(name);
  return ok(
    subject,
    isDirect ? 'streaming from the primary' : `streaming through another standby (${sender ?? 'hidden'})`,
  );
}

/** A standby with lower limits than its primary pauses by itself. Resuming would shut it down. */
async function explainPause(primary: Server, standby: Server): Promise<string> {
  const short = await findShort(primary, standby);
  if (short === undefined) return 'On the standby: select pg_wal_replay_resume().';
  return `It has less ${short} than the primary, and would shut down when resumed. See \`standby settings\`, then restart it.`;
}
