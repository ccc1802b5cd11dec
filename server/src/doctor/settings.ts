import { guideMemoryBytes } from '../tuning/memory.ts';
import { tunePostgres } from '../tuning/postgres.ts';
import { showMemorySize } from '../tuning/memory-size.ts';
import type { Profile, Tuned } from '../tuning/profile.ts';
import type { Server, ServerCheck } from './about.ts';
import { askNames } from './ask.ts';
import { commandFor, readSettings, type Setting } from './change-setting.ts';
import { ok, warn, type Finding } from './finding.ts';
import type { KnownMachine } from './machine.ts';

/** How a server's value may deviate from the profile. */
type Fit = (value: number, wanted: number) => boolean;
const atLeast: Fit = (value, wanted) => value >= wanted;
/** 0 turns the limit off. */
const atMost: Fit = (value, wanted) => value > 0 && value <= wanted;

/** Other settings must be equal, or have a check of their own. */
const relations: Readonly<Record<string, Fit>> = {
  shared_buffers: atLeast,
  work_mem: atLeast,
  effective_cache_size: atLeast,
  maintenance_work_mem: atLeast,
  max_wal_size: atLeast,
  max_wal_senders: atLeast,
  max_replication_slots: atLeast,
  idle_in_transaction_session_timeout: atMost,
  random_page_cost: atMost,
  max_standby_streaming_delay: atMost,
  max_standby_archive_delay: atMost,
  autovacuum_naptime: atMost,
  wal_receiver_status_interval: atMost,
  wal_sender_timeout: atMost,
  wal_receiver_timeout: atMost,
  wal_retrieve_retry_interval: atMost,
};

/** Durability, connections, slots and replication have their own checks; other values of the rest are harmless. */
const elsewhere = new Set([
  'synchronous_commit',
  'max_connections',
  'autovacuum_work_mem',
  'min_wal_size',
  'max_worker_processes',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'max_parallel_maintenance_workers',
  'max_slot_wal_keep_size',
  'primary_slot_name',
  'wal_level',
  'hot_standby',
]);

/** Settings that depend on the machine. */
const ofMachine: Readonly<Record<string, 'memoryBytes' | 'cpus' | 'storage'>> = {
  shared_buffers: 'memoryBytes',
  work_mem: 'memoryBytes',
  effective_cache_size: 'memoryBytes',
  maintenance_work_mem: 'memoryBytes',
  max_wal_size: 'memoryBytes',
  random_page_cost: 'storage',
};

/** With the fewest workers: the check `pool budget` covers our pools. Unknown values are ignored. */
function profileFor({ memoryBytes = guideMemoryBytes, cpus = 8, storage = 'ssd' }: KnownMachine): Profile {
  return { memoryBytes, cpus, storage, workers: 1, instances: 1, durability: 'on' };
}

/**
 * Compares the server's settings with the profile for its machine, including values that only sessions see (`alter role … set`).
 */
export const checkSettings: ServerCheck = async (server, about) => {
  const { where } = server;
  const machine = about.machineOf(server.endpoint);
  const isKnown = (name: string): boolean => {
    const fact = ofMachine[name];
    return fact === undefined || machine[fact] !== undefined;
  };
  const wanted = tunePostgres(profileFor(machine)).filter(({ name }) => !elsewhere.has(name) && isKnown(name));
  const settings = await readSettings(
    server,
    wanted.map(({ name }) => name),
  );
  const findings = wanted.flatMap((one) => {
    const setting = settings.find(({ name }) => name === one.name);
    return setting === undefined || isFit(setting, one, machine) ? [] : [differs(where, setting, one, machine)];
  });
  return [...(findings.length > 0 ? findings : [fits(where, machine)]), await findPending(server)];
};

function fits(where: Server['where'], { memoryBytes, cpus, storage }: KnownMachine): Finding {
  const flags = [
    ...(memoryBytes === undefined ? ['--memory'] : []),
    ...(cpus === undefined ? ['--cpus'] : []),
    ...(storage === undefined ? ['--storage'] : []),
  ];
  const left = flags.length === 0 ? '' : `; what depends on its machine is compared with ${flags.join(', ')}`;
  return ok({ check: 'settings', where }, `as in the tuned profile, or more${left}`);
}

/** Settings of the file that need a restart. */
const pendingSql = `select name from pg_settings where pending_restart order by 1`;

async function findPending(server: Server): Promise<Finding> {
  const subject = { check: 'pending restart', where: server.where } as const;
  const pending = await askNames(server, pendingSql);
  if (pending.length === 0) return ok(subject, 'no setting');
  return warn(
    subject,
    pending.join(', '),
    'Changed in the file, not in force: restart this PostgreSQL in a quiet hour.',
  );
}

function differs(where: Server['where'], setting: Setting, wanted: Tuned, machine: KnownMachine): Finding {
  const { value, unit, name } = setting;
  const found = `${name} is ${value}${unit === null ? '' : ` × ${unit}`}, the profile has ${wanted.value}`;
  return warn(
    { check: 'settings', where },
    found,
    `${commandFor(setting, wanted.value)}. Why: ${wanted.reason}. ` +
      `${explainGuess(name, machine)}\`messenger tune\` prints all settings for a machine.`,
  );
}

function explainGuess(name: string, { memoryBytes = 0, isGuess = false }: KnownMachine): string {
  if (!isGuess || ofMachine[name] !== 'memoryBytes') return '';
  return `It is assumed to have ${showMemorySize(memoryBytes)}, its share of this machine: --memory corrects that. `;
}

function isFit({ name, value, unit }: Setting, wanted: Tuned, { isGuess = false }: KnownMachine): boolean {
  const [is, should] = [toNumber(value, unit), toNumber(wanted.value, unit)];
  if (is === undefined || should === undefined) return value === wanted.value;
  const relation = relations[name];
  const enough = isGuess && ofMachine[name] === 'memoryBytes' ? should / 2 : should;
  return relation === undefined ? is === should : relation(is, enough);
}

const factors: Readonly<Record<string, number>> = {
  '': 1,
  kB: 2 ** 10,
  '8kB': 2 ** 13,
  MB: 2 ** 20,
  GB: 2 ** 30,
  ms: 1,
  s: 1_000,
  min: 60_000,
};

/** `256MB`, or a number in the setting's unit, as bytes or ms; undefined for words. */
function toNumber(text: string, unit: string | null): number | undefined {
  const [, amount, own = ''] = /^(-?[\d.]+)([a-zA-Z]*)$/u.exec(text) ?? [];
  const factor = factors[own === '' ? (unit ?? '') : own];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}
