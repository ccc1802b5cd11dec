import { postgresSettings, type Role } from '../embedded/settings.ts';
import { guideMemoryBytes, tuneMaxConnections } from './connections.ts';
import { parseMemorySize, showMemorySize } from './memory-size.ts';
import type { Profile, Tuned } from './profile.ts';

type Settings = typeof postgresSettings;
type NamesOf<Group extends keyof Settings> = {
  [Part in keyof Settings[Group]]: keyof Settings[Group][Part];
}[keyof Settings[Group]];
type SettingName = NamesOf<'tuning'> | NamesOf<'flatLists'> | NamesOf<'replication'>;

/** From the value of the table to the value for a profile. */
type Rule = (value: string, profile: Profile) => Omit<Tuned, 'name'>;

const megabyte = 2 ** 20;
const workMemLimits = { leastBytes: 4 * megabyte, mostBytes: 64 * megabyte };

/** What PostgreSQL is made for when nothing is set. */
const defaultParallelWorkers = 8;

const keep =
  (reason: string): Rule =>
  (value) => ({ value, reason });

/** A rule for each setting of the table that is not only for embedded servers; a type error when one is missing. */
const rules: Readonly<Record<string, Rule>> = {
  max_connections: (_value, profile) => tuneMaxConnections(profile),
  shared_buffers: (value, profile) => ({
    value: showMemorySize(scale(value, profile)),
    reason: 'pages that PostgreSQL caches itself: a quarter of the memory of a server with nothing else to do',
  }),
  work_mem: tuneWorkMem,
  effective_cache_size: (value, profile) => ({
    value: showMemorySize(scale(value, profile)),
    reason: 'what the planner takes to be cached, by the system, too: half of the memory; reserves nothing',
  }),
  checkpoint_completion_target: keep('writes of a checkpoint are spread over nine tenths of the time to the next one'),
  idle_in_transaction_session_timeout: keep('ms; whoever forgets an open transaction loses it, with its locks'),
  random_page_cost: (value, { storage }) =>
    storage === 'ssd'
      ? { value, reason: 'an SSD reads anywhere at nearly the same cost, so indexes win over scans' }
      : { value: '4.0', reason: "a disk that rotates has to seek: PostgreSQL's default" },
  autovacuum_naptime: keep('a table with dead rows is seen within a second, so that pages stay cheap under deletes'),
  wal_receiver_status_interval: keep('the primary learns each second which rows the standby no longer reads'),
  wal_level: keep('what a streaming standby needs'),
  max_wal_senders: keep('standbys and backups at the same time'),
  max_replication_slots: keep('standbys that the primary keeps WAL for'),
  max_slot_wal_keep_size: keep(
    'WAL kept for a standby that is away; after that it is made anew, and the disk of the primary is safe',
  ),
  wal_sender_timeout: keep('a standby that says nothing for this long is gone'),
  wal_receiver_timeout: keep('a primary that says nothing for this long is gone'),
  hot_standby: keep('the standby answers reads'),
  hot_standby_feedback: keep(
    'vacuum on the primary leaves what the standby still reads, so that reads are not cancelled',
  ),
  primary_slot_name: keep(
    "make it once, on the primary: select pg_create_physical_replication_slot('messenger_standby')",
  ),
  wal_retrieve_retry_interval: keep('a standby is back half a second after its primary, not five'),
} satisfies Record<SettingName, Rule>;

/** The settings of one server, the guide's first; those that the guide does not have say so. */
export function tunePostgres(role: Role, profile: Profile): Tuned[] {
  const { tuning, flatLists, replication } = postgresSettings;
  const ofGuide = { ...tuning.both, ...tuning[role] };
  const further = { ...flatLists.both, ...flatLists[role], ...replication.both, ...replication[role] };
  return [
    ...apply(ofGuide, profile),
    ...(role === 'primary' ? [tuneDurability(profile)] : []),
    ...[...tuneParallelism(profile), ...apply(further, profile)].map(notInGuide),
  ];
}

function notInGuide(one: Tuned): Tuned {
  return { ...one, reason: `${one.reason} (not in the guide)` };
}

function apply(table: Readonly<Record<string, string>>, profile: Profile): Tuned[] {
  return Object.entries(table).map(([name, base]) => {
    const rule = rules[name];
    if (rule === undefined) throw new Error(`no rule for the setting ${name}`);
    const { value, reason } = rule(base, profile);
    return { name, value, reason };
  });
}

/** A size of the guide's table, in proportion to the memory. */
function scale(value: string, { memoryBytes }: Profile): number {
  return ((parseMemorySize(value) ?? 0) * memoryBytes) / guideMemoryBytes;
}

function tuneWorkMem(value: string, profile: Profile): Omit<Tuned, 'name'> {
  const { leastBytes, mostBytes } = workMemLimits;
  const bytes = Math.min(mostBytes, Math.max(leastBytes, scale(value, profile)));
  const { count } = tuneMaxConnections(profile);
  return {
    value: showMemorySize(bytes),
    reason:
      `for one sort or hash: a 64th of the memory, 4MB to 64MB. ${count} at once would take ${showMemorySize(bytes * count)}; ` +
      "Messenger's own statements read pages in the order of an index and sort nothing large",
  };
}

function tuneDurability({ durability }: Profile): Tuned {
  const reason =
    durability === 'on'
      ? 'a write that was answered is on disk; the guide has off, which loses up to 600 ms of them in a crash, and shared commits make up for the speed'
      : 'commits are answered before they are on disk: a crash loses up to 600 ms of acknowledged writes';
  return { name: 'synchronous_commit', value: durability, reason };
}

/** Fewer than the default where there are fewer cores; with as many or more, the default is right, as on the guide's 8. */
function tuneParallelism({ cpus }: Profile): Tuned[] {
  if (cpus >= defaultParallelWorkers) return [];
  const reason = `more helpers than ${cpus === 1 ? 'one core' : `${cpus} cores`} would only take turns`;
  return [{ name: 'max_parallel_workers', value: String(cpus), reason }];
}
