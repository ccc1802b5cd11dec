import { resolve } from 'node:path';

export type Role = 'primary' | 'standby';

/** `off` answers commits before they are on disk: faster single commits, up to 600 ms of them lost in a crash. */
export type SynchronousCommit = 'on' | 'off';

/** What an acknowledged write is on: the disk of the primary, or that of the standby as well. */
export type Durability = 'disk' | 'standby';

type Settings = Readonly<Record<string, string>>;
type SettingsByRole = Readonly<Record<Role | 'both', Settings>>;

/**
 * Every PostgreSQL setting of this project, by reason and role. `tuning` is the tuning guide's table, valid for any
 * deployment (`synchronous_commit` comes from the profile, see `settingsFor`), by the role for which the guide has it; every
 * server gets all of it, because a standby may be promoted. `replication` is what a primary and its
 * standby need anywhere, `flatLists` what lets vacuum keep up with deletes anywhere (docs/decisions/0009-lists-stay-flat.md).
 * `embedded` is only for the pair that this program starts itself.
 */
export const postgresSettings = {
  tuning: {
    both: {
      max_connections: '500',
      shared_buffers: '256MB',
      work_mem: '16MB',
      effective_cache_size: '512MB',
    },
    primary: {
      checkpoint_completion_target: '0.9',
      idle_in_transaction_session_timeout: '30000',
    },
    standby: { random_page_cost: '1.1' },
  },
  replication: {
    wal_level: 'replica',
    // Not less than initdb's: a copy made before the primary's first start would refuse to be its standby.
    max_wal_senders: '10',
    max_replication_slots: '10',
    // A standby that is away may keep this much WAL on the primary's disk; after that it is rebuilt.
    max_slot_wal_keep_size: '1GB',
    // A peer on the same machine that says nothing for this long is gone; the default of 60 s outlasts our deadlines.
    wal_sender_timeout: '15s',
    wal_receiver_timeout: '15s',
    hot_standby: 'on',
    hot_standby_feedback: 'on',
    // How long replay waits for a read that is in its way; reads of ours end after 3 s. The default of 30 s is lag.
    max_standby_streaming_delay: '3s',
    max_standby_archive_delay: '3s',
    primary_slot_name: 'messenger_standby',
    // The default of 5 s would make every restart of the primary a pause of 5 s for the standby.
    wal_retrieve_retry_interval: '500ms',
  },
  flatLists: {
    // How often a table is looked at that may need a vacuum; the default is a minute.
    autovacuum_naptime: '1s',
    // How often the primary learns which rows the standby no longer reads. At the default of 10 s, vacuum leaves what
    // died in the last 10 s, and a page of the standby touches 454 buffers where it touches 102 at 1 s.
    wal_receiver_status_interval: '1s',
    // A page's cost is estimated without its limit, so that a large table makes PostgreSQL compile it, for longer than it runs.
    jit: 'off',
  },
  embedded: {
    both: {
      listen_addresses: '',
      unix_socket_permissions: '0700',
      logging_collector: 'off',
      log_destination: 'stderr',
      // Read by postgres-log.ts: SQLSTATE, process, kind of process.
      log_line_prefix: '%e|%p|%b|',
      // Without DETAIL, CONTEXT and STATEMENT lines: they hold what users typed.
      log_error_verbosity: 'terse',
      log_min_error_statement: 'panic',
      log_checkpoints: 'off',
      lc_messages: 'C',
      timezone: 'UTC',
      log_timezone: 'UTC',
    },
    primary: { cluster_name: 'messenger-primary' },
    standby: { cluster_name: 'messenger-standby' },
  },
} as const satisfies Readonly<
  Record<'tuning' | 'embedded', SettingsByRole> & Record<'replication' | 'flatLists', Settings>
>;

/** The physical replication slot that keeps WAL for the standby. */
export const slotName = postgresSettings.replication.primary_slot_name;

/** Socket file numbers of the two servers, which share one socket folder; nothing listens on TCP. */
export const embeddedPorts: Readonly<Record<Role, number>> = { primary: 5432, standby: 5433 };

/**
 * Roles of the embedded databases. The superuser is the one that initdb makes, and serves only the maintenance by the
 * supervisor; the application owns its schema and nothing else.
 */
export const roles = {
  superuser: 'messenger',
  application: 'messenger_app',
  replication: 'messenger_replication',
} as const;
export const databaseName = 'messenger';

export interface SettingsOptions {
  readonly synchronousCommit: SynchronousCommit;
  /** Default: `disk`. */
  readonly durability?: Durability | undefined;
  /** `off` leaves PostgreSQL at its own defaults. */
  readonly tuning: 'on' | 'off';
  readonly socketDir: string;
  /** Where a primary archives its WAL; default: nowhere. */
  readonly archiveDir?: string | undefined;
  readonly overrides?: Settings;
}

/** Of a database that is written to, at most this much is not in the archive. An archived segment has 16 MB, however full it is. */
const archiveTimeout = '5min';

function archiveSettings(archiveDir: string | undefined): Settings {
  if (archiveDir === undefined) return {};
  return {
    archive_mode: 'on',
    archive_library: 'basic_archive',
    'basic_archive.archive_directory': resolve(archiveDir),
    archive_timeout: archiveTimeout,
  };
}

/** All settings of one embedded server. `overrides` win; tests use them to make rare conditions common. */
export function settingsFor(role: Role, options: SettingsOptions): Settings {
  const { tuning, replication, flatLists, embedded } = postgresSettings;
  return {
    ...(options.tuning === 'on' ? { ...tuning.both, ...tuning.primary, ...tuning.standby, ...flatLists } : {}),
    ...replication,
    ...embedded.both,
    ...embedded[role],
    synchronous_commit: options.synchronousCommit,
    synchronous_standby_names: options.durability === 'standby' ? slotName : '',
    port: String(embeddedPorts[role]),
    // A list of folders to PostgreSQL; the double quotes make spaces part of the one folder's name.
    unix_socket_directories: `"${options.socketDir.replaceAll('"', '""')}"`,
    ...(role === 'standby'
      ? { primary_conninfo: primaryConninfo(options.socketDir) }
      : archiveSettings(options.archiveDir)),
    ...options.overrides,
  };
}

const generated = '# Generated by Messenger at each start: changes made here are lost.';

function primaryConninfo(socketDir: string): string {
  const host = socketDir.replaceAll(/[\\']/g, String.raw`\$&`);
  return `host='${host}' port=${embeddedPorts.primary} user=${roles.replication} application_name=${slotName}`;
}

function quote(value: string): string {
  return `'${value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replaceAll('\n', String.raw`\n`)}'`;
}

/** The text of a postgresql.conf. */
export function renderPostgresConf(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quote(value)}`);
  return [generated, ...lines, ''].join('\n');
}

/** The text of a pg_hba.conf: the kernel says which user of the system connects, and pg_ident.conf which roles it has. */
export const pgHbaConf = [
  generated,
  'local all all peer map=messenger',
  'local replication all peer map=messenger',
  '',
].join('\n');

/** The text of a pg_ident.conf: `osUser`, who runs the server, and root have our roles, and no other user has any. */
export function renderPgIdentConf(osUser: string): string {
  const users = [...new Set([osUser, 'root'])];
  const lines = users.flatMap((user) => Object.values(roles).map((role) => `messenger "${user}" ${role}`));
  return [generated, ...lines, ''].join('\n');
}
