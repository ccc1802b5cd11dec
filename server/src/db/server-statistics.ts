import { identityColumns, type Identity } from './identity.ts';
import { timelineColumn } from './position.ts';
import { statement } from './statement.ts';

/** One server's statistics. Counts of `bigint` are numbers: exact up to 2^53. */
export interface ServerStatistics extends Identity {
  /** Whether our role may see the activity of other roles. */
  readonly monitored: boolean;
  readonly maxConnections: number;
  /** Client sessions by state, those waiting for a lock, and the age of the oldest transaction except our own. */
  readonly connections: Readonly<Record<string, number>> | null;
  readonly lockWaits: number;
  readonly oldestTransactionSeconds: number;
  /** Of our database, since its statistics were reset; null before the first read of a block. */
  readonly cacheHitRatio: number | null;
  readonly commits: number;
  readonly rollbacks: number;
  /** By table of our schema. */
  readonly deadRows: Readonly<Record<string, number>> | null;
  /** In bytes of WAL: flushed on a primary, replayed on a standby; null before any replay. */
  readonly position: number | null;
  /** On a standby, the one that it receives. */
  readonly timeline: number;
  /** Whether our sessions cannot write. A standby is always read-only. */
  readonly readOnly: boolean;
  /** When the server started, or last recovered from a crash of one of its processes; seconds since 1970. */
  readonly startedSeconds: number;
  /** On a standby: the state of its WAL receiver. */
  readonly receiver: string;
}

/**
 * One statement, so a scrape costs each server one round trip. Any role may run it, but without rights sees no details
 * of other sessions and of the receiver.
 */
export const serverStatistics = statement<ServerStatistics>(
  'server.statistics',
  `with sessions as (
     select coalesce(state, 'hidden') as state, wait_event_type, xact_start, pid
       from pg_stat_activity
      where datid is not null and coalesce(backend_type, 'client backend') = 'client backend'
   ), of_database as (
     select * from pg_stat_database where datname = current_database()
   )
   select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as monitored,
          current_setting('max_connections')::int as "maxConnections",
          (select json_object_agg(state, n)
             from (select state, count(*) as n from sessions group by state) as by_state) as connections,
          (select count(*)::int from sessions where wait_event_type = 'Lock') as "lockWaits",
          (select coalesce(extract(epoch from clock_timestamp() - min(xact_start)), 0)::float8
             from sessions where pid <> pg_backend_pid()) as "oldestTransactionSeconds",
          (select blks_hit::float8 / nullif(blks_hit + blks_read, 0) from of_database) as "cacheHitRatio",
          (select xact_commit::float8 from of_database) as commits,
          (select xact_rollback::float8 from of_database) as rollbacks,
          (select json_object_agg(relname, n_dead_tup)
             from pg_stat_user_tables where schemaname = current_schema()) as "deadRows",
          (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end
             - '0/0'::pg_lsn)::float8 as position,
          ${timelineColumn} as timeline,
          current_setting('transaction_read_only')::bool as "readOnly",
          extract(epoch from greatest(pg_postmaster_start_time(),
                                      pg_stat_get_bgwriter_stat_reset_time()))::float8 as "startedSeconds",
          coalesce((select coalesce(status, 'hidden') from pg_stat_wal_receiver where pid is not null), 'none') as receiver,
          ${identityColumns}`,
);
