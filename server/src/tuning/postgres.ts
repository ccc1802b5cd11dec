import { postgresSettings } from '../embedded/settings.ts';
import { planMemory, type MemoryPlan } from './memory.ts';
import { showMemorySize } from './memory-size.ts';
import type { Durability, Profile, Tuned } from './profile.ts';

type Settings = typeof postgresSettings;
type GuideName = { [Part in keyof Settings['tuning']]: keyof Settings['tuning'][Part] }[keyof Settings['tuning']];
type SettingName = GuideName | keyof Settings['flatLists'] | keyof Settings['replication'];

/** From the value of the table to the value for a profile. */
type Rule = (value: string, profile: Profile, plan: MemoryPlan) => Omit<Tuned, 'name'>;

const gigabyte = 2 ** 30;

const keep =
  (reason: string): Rule =>
  (value) => ({ value, reason });

/** A rule for each setting of the table that is not only for embedded servers; a type error when one is missing. */
const rules: Readonly<Record<string, Rule>> = {
  max_connections: (_value, { workers, instances }, { maxConnections }) => ({
    value: String(maxConnections),
    reason: `pools of ${workers * instances} workers to both servers, and a fifth for administration, as far as the memory has room; the guide has 500`,
  }),
  shared_buffers: (_value, _profile, { sharedBuffersBytes }) => ({
    value: showMemorySize(sharedBuffersBytes),
    reason: 'pages that PostgreSQL caches itself: a quarter of the memory of a server with nothing else to do',
  }),
  work_mem: (_value, _profile, { workMemBytes, maxConnections, parallelWorkers }) => ({
    value: showMemorySize(workMemBytes),
    reason: `for one sort; a hash takes twice as much. All ${maxConnections + parallelWorkers} sessions at once fit into the memory; the guide has 16MB`,
  }),
  effective_cache_size: (_value, { memoryBytes }) => ({
    value: showMemorySize(memoryBytes / 2),
    reason: 'what the planner takes to be cached, by the system, too: half of the memory; reserves nothing',
  }),
  checkpoint_completion_target: keep('writes of a checkpoint are spread over nine tenths of the time to the next one'),
  idle_in_transaction_session_timeout: keep('ms; whoever forgets an open transaction loses it, with its locks'),
  random_page_cost: (value, { storage }) =>
    storage === 'ssd'
      ? { value, reason: 'an SSD reads anywhere at nearly the same cost, so indexes win over scans' }
      : { value: '4.0', reason: "a disk that rotates has to seek: PostgreSQL's default" },
  jit: keep('statements of ours are short: compiling one takes longer than running it'),
  autovacuum_naptime: keep('a table with dead rows is seen within a second, so that pages stay cheap under deletes'),
  wal_receiver_status_interval: keep('the primary learns each second which rows the standby no longer reads'),
  wal_level: keep('what a streaming standby needs'),
  max_wal_senders: keep('standbys and backups at the same time'),
  max_replication_slots: keep('standbys that the primary keeps WAL for'),
  max_slot_wal_keep_size: (_value, profile) => ({
    value: showMemorySize(walBytes(profile)),
    reason:
      'WAL kept for a standby that is away, as much as max_wal_size; after that it is made anew, and the disk is safe',
  }),
  wal_sender_timeout: keep('a standby that says nothing for this long is gone'),
  wal_receiver_timeout: keep('a primary that says nothing for this long is gone'),
  hot_standby: keep('the standby answers reads'),
  hot_standby_feedback: keep(
    'vacuum on the primary leaves what the standby still reads, so that reads are not cancelled',
  ),
  max_standby_streaming_delay: keep('a read that is in the way of replay for longer is cancelled: ours end after 3 s'),
  max_standby_archive_delay: keep('the same while replay reads from an archive'),
  primary_slot_name: keep(
    "make it on whichever is the primary: select pg_create_physical_replication_slot('messenger_standby')",
  ),
  wal_retrieve_retry_interval: keep('a standby is back half a second after its primary, not five'),
} satisfies Record<SettingName, Rule>;

/**
 * The settings of each server, the guide's first; those that the guide does not have say so. Both get those of both roles: a
 * standby that is promoted must not miss what it needs as the primary.
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
  on: 'an acknowledged write is on disk; the guide has off, which loses up to 600 ms of them in a crash, and shared commits make up for the speed',
  off: 'commits are answered before they are on disk: a crash loses up to 600 ms of acknowledged writes',
  standby: 'an acknowledged write is on the disk of the primary and of a standby',
};

/** The names are the same on both servers: after a promotion the new primary waits for its standby, too. */
function tuneDurability({ durability }: Profile): Tuned[] {
  const commit = durability === 'off' ? 'off' : 'on';
  const names = {
    name: 'synchronous_standby_names',
    value: '*',
    reason:
      'a failover loses no acknowledged write; while no standby is there, writes wait and fail: two standbys avoid that (not in the guide)',
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
      reason: 'for an index that is built, or a vacuum by hand: a sixteenth of the memory, 2GB at most',
    },
    {
      name: 'autovacuum_work_mem',
      value: showMemorySize(autovacuumBytes),
      reason: 'the same for each of three autovacuum workers, which may run at once: a quarter of it',
    },
  ];
}

/** Half of the memory, from PostgreSQL's default of 1GB to 8GB: the start after a crash replays up to this much. */
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
        'WAL between two checkpoints: with more, fewer of them, more disk and a longer recovery; half of the memory, 1GB to 8GB',
    },
    {
      name: 'min_wal_size',
      value: showMemorySize(bytes / 4),
      reason: 'a quarter of it is kept for reuse when there is little to write',
    },
  ];
}

/** What PostgreSQL starts when nothing is set. */
const defaultWorkerProcesses = 8;

/** Both servers need the same `max_worker_processes`: a standby with fewer pauses its replay. */
function tuneParallelism({ cpus }: Profile, { parallelWorkers }: MemoryPlan): Tuned[] {
  return [
    {
      name: 'max_worker_processes',
      value: String(Math.max(defaultWorkerProcesses, parallelWorkers)),
      reason: 'parallel workers and extensions; a standby with fewer than its primary pauses its replay',
    },
    {
      name: 'max_parallel_workers',
      value: String(parallelWorkers),
      reason: `one for each of ${cpus} cores that has 512MB of memory; more would take turns`,
    },
    {
      name: 'max_parallel_workers_per_gather',
      value: String(Math.min(2, Math.floor(parallelWorkers / 2))),
      reason: 'statements of ours are short and run on one core; two helpers are for reports',
    },
    {
      name: 'max_parallel_maintenance_workers',
      value: String(Math.min(4, Math.ceil(parallelWorkers / 2))),
      reason: 'an index is built by up to half of the cores, four at most; they share maintenance_work_mem',
    },
  ];
}
