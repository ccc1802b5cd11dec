import type { Server } from './about.ts';
import { askOne } from './ask.ts';
import { grantSight } from './access.ts';
import { changeSetting } from './change-setting.ts';

/** Why a standby lags. */
interface Delay {
  /** The end of a line. */
  readonly cause: string;
  /** Without a full stop. */
  readonly remedy: string;
}

const delaySql = `
  select current_setting('recovery_min_apply_delay') as intended, pg_get_wal_replay_pause_state() <> 'not paused' as paused,
         current_setting('max_standby_streaming_delay') as patience,
         (pg_last_wal_receive_lsn() - '0/0'::pg_lsn)::float8 as received,
         exists (select from pg_stat_wal_receiver) as "hasReceiver",
         (select wait_event_type = 'Lock' or wait_event_type = 'BufferPin' or wait_event like 'RecoveryConflict%'
            from pg_stat_activity where backend_type = 'startup') as waits,
         pg_has_role(current_user, 'pg_monitor', 'usage') as "seesAll", quote_ident(current_user) as "role"`;

interface Standing {
  /** `recovery_min_apply_delay`. */
  readonly intended: string;
  readonly paused: boolean;
  /** `max_standby_streaming_delay`. */
  readonly patience: string;
  /** Null until WAL was received. */
  readonly received: number | null;
  readonly hasReceiver: boolean;
  /** Whether replay waits for a read; null when our role cannot see it. */
  readonly waits: boolean | null;
  readonly seesAll: boolean;
  readonly role: string;
}

/** The first cause that applies. `flushed` is the primary's flushed WAL position at the query. */
export async function explainDelay(standby: Server, flushed: number): Promise<Delay> {
  const now = await askOne<Standing>(standby, delaySql);
  if (now.intended !== '0')
    return {
      cause: `recovery_min_apply_delay is ${now.intended}`,
      remedy: await changeSetting(standby, 'recovery_min_apply_delay', '0'),
    };
  if (now.paused) return { cause: 'replay is paused', remedy: 'See the line `replication`' };
  if (now.waits === true) return await explainConflict(standby, now.patience);
  if (!now.hasReceiver) return { cause: 'nothing is received', remedy: 'See the line `replication`' };
  const missing = flushed - (now.received ?? 0);
  if (missing > 0)
    return {
      cause: `${missing} bytes of them not received`,
      remedy:
        "The network or the standby's disk is slower than the writes: compare sent_lsn, write_lsn and flush_lsn in pg_stat_replication on the primary",
    };
  return explainSlowReplay(now);
}

function explainSlowReplay({ seesAll, role }: Standing): Delay {
  const cause = 'all of them received, replay is slow';
  const remedy = "Check the standby's disk and CPU: one process replays the writes of many";
  return { cause, remedy: seesAll ? remedy : `${grantSight(role)} It shows whether a read holds replay up. ${remedy}` };
}

/** Without the text of the statement. */
const readerSql = `
  select pid, left(coalesce(nullif(application_name, ''), 'unnamed'), 30) as application,
         extract(epoch from clock_timestamp() - xact_start)::float8 as seconds
  from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start is not null
  order by xact_start limit 1`;

interface Reader {
  readonly pid: number;
  readonly application: string;
  readonly seconds: number;
}

async function explainConflict(standby: Server, patience: string): Promise<Delay> {
  const [reader] = await standby.ask<Reader>(readerSql);
  if (reader === undefined) return { cause: 'replay waited for a read that has ended', remedy: 'Run doctor again' };
  const { pid, application, seconds } = reader;
  const limit = patience === '-1' ? 'waits for reads for ever' : `waits for a read for up to ${patience}`;
  return {
    cause: `replay waits for a read, ${application} (pid ${pid}), ${seconds.toFixed(1)} s old`,
    remedy:
      `On the standby: select pg_terminate_backend(${pid}). Replay ${limit} (max_standby_streaming_delay); ` +
      'hot_standby_feedback = on avoids most such waits',
  };
}
