import { postgresSettings } from '../embedded/settings.ts';
import { planMemory, type MemoryPlan } from './memory.ts';
import { showMemorySize } from './memory-size.ts';
import type { Durability, Profile, Tuned } from './profile.ts';

type Settings = typeof postgresSettings;
type GuideName = { [Part in keyof Settings['tuning']]: keyof Settings['tuning'][Part] }[keyof Settings['tuning']];
type SettingName = GuideName | keyof Settings['flatLists'] | keyof Settings['replication'];

/** Computes the value for a profile from that of the table. */
type Rule = (value: string, profile: Profile, plan: MemoryPlan) => Omit<Tuned, 'name'>;

const gigabyte = 2 ** 30;

const keep =
  (reason: string): Rule =>
  (value) => ({ value, reason });

/** A rule for each setting of the table that is not only for embedded servers; a missing one is a type error. */
const rules: Readonly<Record<string, Rule>> = {
  max_connections: (_value, { workers, instances }, { maxConnections }) => ({
    value: String(maxConnections),
    reason: `pools of ${workers * instances} workers to both servers and a fifth for administration, limited by the memory; the guide has 500`,
  }),
  shared_buffers: (_value, _profile, { sharedBuffersBytes }) => ({
    value: showMemorySize(sharedBuffersBytes),
    reason: 'the page cache of PostgreSQL: a quarter of the memory of a dedicated server',
  }),
  work_mem: (_value, _profile, { workMemBytes, maxConnections, parallelWorkers }) => ({
    value: showMemorySize(workMemBytes),
    reason: `per sort, twice as much per hash; all ${maxConnections + parallelWorkers} sessions together fit into the memory; the guide has 16MB`,
  }),
  effective_cache_size: (_value, { memoryBytes }) => ({
    value: showMemorySize(memoryBytes / 2),
    reason: 'estimate for the planner of what PostgreSQL and the system cache: half of the memory; reserves nothing',
  }),
  checkpoint_completion_target: keep('spreads the writes of a checkpoint over nine tenths of the interval'),
  idle_in_transaction_session_timeout: keep('ms; ends forgotten transactions, which hold locks'),
  random_page_cost: (value, { storage }) =>
    storage === 'ssd'
      ? { value, reason: 'random reads of an SSD cost nearly as much as sequential ones, so index scans win' }
      : { value: '4.0', reason: "rotating disks seek: PostgreSQL's default" },
  jit: keep('our statements are short: compilation takes longer than execution'),
  autovacuum_naptime: keep('vacuum finds dead rows within a second, so list pages stay cheap under deletes'),
  wal_receiver_status_interval: keep('reports to the primary every second which rows the standby still reads'),
  wal_level: keep('realtime events are read from the log; a streaming standby needs `replica`'),
  max_wal_senders: keep('concurrent standbys, backups and feeds, one per node'),
  max_replication_slots: keep('standbys and feeds for which the primary retains WAL'),
  max_slot_wal_keep_size: (_value, profile) => ({
    value: showMemorySize(walBytes(profile)),
    reason:
      'WAL retained for an absent standby, as much as max_wal_size; beyond it the standby must be rebuilt, and the disk is safe',
  }),
  wal_sender_timeout: keep('a standby that is silent for this long is disconnected'),
  wal_receiver_timeout: keep('a primary that is silent for this long is disconnected'),
  hot_standby: keep('the standby answers reads'),
  hot_standby_feedback: keep(
    'vacuum on the primary keeps rows that the standby still reads, so reads are not cancelled',
  ),
  max_standby_streaming_delay: keep('reads that block replay for longer are cancelled; ours end after 3 s'),
  max_standby_archive_delay: keep('the same while replay reads an archive'),
  primary_slot_name: keep(
    "create it on the current primary: select pg_create_physical_replication_slot('messenger_standby')",
  ),
  wal_retrieve_retry_interval: keep('a standby reconnects half a second after its primary is back, not five'),
} satisfies Record<SettingName, Rule>;

/**
 * The settings of each server, the guide's first; others are marked. Both servers get those of both roles: a promoted
 * standby needs the primary's.
 */
export function tunePostgres(profile: Profile): Tuned[] {
  const { tuning, flatLists, replication } = postgresSettings;
  const plan = planMemory(profile);
  const apply = (table: Readonly<Record<string, string>>): Tuned[] =>
    Object.entries(table).map(([name, base]) => {
      const rule = rules[name];
      if (rule === undefined) throw new Error(`no rule for the setting ${name}`);
      return { name, ...rule(base, profile, plan) };
    });
  const further = [
    ...tuneMaintenance(plan),
    ...tuneWal(profile),
    ...tuneParallelism(profile, plan),
    ...apply({ ...flatLists, ...replication }),
  ];
  return [
    ...apply({ ...tuning.both, ...tuning.primary, ...tuning.standby }),
    ...tuneDurability(profile),
    ...further.map((one) => ({ ...one, reason: `${one.reason} (not in the guide)` })),
  ];
}

const commitReasons: Readonly<Record<Durability, string>> = {
  on: 'an acknowledged write is on disk; the guide has off, which loses up to 600 ms of writes in a crash; group commit makes up for the speed',
  off: 'commits are acknowledged before they are on disk: a crash loses up to 600 ms of writes',
  standby: 'an acknowledged write is on the disk of the primary and of a standby',
};

/** The same on both servers: after a promotion the new primary waits for its standby, too. */
function tuneDurability({ durability }: Profile): Tuned[] {
  const commit = durability === 'off' ? 'off' : 'on';
  const names = {
    name: 'synchronous_standby_names',
    value: '*',
    reason:
      'a failover loses no acknowledged write; without a standby, writes wait and fail: two standbys avoid that (not in the guide)',
  };
  return [
    { name: 'synchronous_commit', value: commit, reason: commitReasons[durability] },
    ...(durability === 'standby' ? [names] : []),
  ];
}

function tuneMaintenance({ maintenanceBytes, autovacuumBytes }: MemoryPlan): Tuned[] {
  return [
    {
      name: 'maintenance_work_mem',
      value: showMemorySize(maintenanceBytes),
      reason: 'for index builds and manual vacuum: a sixteenth of the memory, 2GB at most',
    },
    {
      name: 'autovacuum_work_mem',
      value: showMemorySize(autovacuumBytes),
      reason: 'per autovacuum worker, of which three can run concurrently: a quarter of maintenance_work_mem',
    },
  ];
}

/** Half of the memory, between PostgreSQL's default of 1GB and 8GB: crash recovery replays up to this much. */
function walBytes({ memoryBytes }: Profile): number {
  return Math.min(8 * gigabyte, Math.max(gigabyte, memoryBytes / 2));
}

function tuneWal(profile: Profile): Tuned[] {
  const bytes = walBytes(profile);
  return [
    {
      name: 'max_wal_size',
      value: showMemorySize(bytes),
      reason:
        'WAL between checkpoints; more means fewer checkpoints, more disk and longer recovery; half of the memory, 1GB to 8GB',
    },
    {
      name: 'min_wal_size',
      value: showMemorySize(bytes / 4),
      reason: 'a quarter of max_wal_size is kept for reuse at low load',
    },
  ];
}

/** PostgreSQL's default. */
const defaultWorkerProcesses = 8;

/** Both servers need the same `max_worker_processes`: a standby with fewer pauses its replay. */
function tuneParallelism({ cpus }: Profile, { parallelWorkers }: MemoryPlan): Tuned[] {
  return [
    {
      name: 'max_worker_processes',
      value: String(Math.max(defaultWorkerProcesses, parallelWorkers)),
      reason: 'parallel workers and extensions; a standby with fewer than its primary pauses replay',
    },
    {
      name: 'max_parallel_workers',
      value: String(parallelWorkers),
      reason: `one per core (${cpus}), with at least 512MB of memory each`,
    },
    {
      name: 'max_parallel_workers_per_gather',
      value: String(Math.min(2, Math.floor(parallelWorkers / 2))),
      reason: 'our statements are short and run on one core; two workers help reports',
    },
    {
      name: 'max_parallel_maintenance_workers',
      value: String(Math.min(4, Math.ceil(parallelWorkers / 2))),
      reason: 'index builds use up to half of the cores, four at most; they share maintenance_work_mem',
    },
  ];
}
