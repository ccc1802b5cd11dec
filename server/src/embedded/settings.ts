import { resolve } from 'node:path';

export type Role = 'primary' | 'standby';

/** `off` acknowledges commits before they are on disk: faster single commits, up to 600 ms of them lost in a crash. */
export type SynchronousCommit = 'on' | 'off';

/** Where an acknowledged write is durable: on the disk of the primary, or on that of the standby as well. */
export type Durability = 'disk' | 'standby';

type Settings = Readonly<Record<string, string>>;
type SettingsByRole = Readonly<Record<Role | 'both', Settings>>;

/**
 * Every PostgreSQL setting of this project, by reason and role. `tuning`: the tuning guide's table, for any deployment
 * (`synchronous_commit` comes from the profile, see `settingsFor`), by the guide's role; every server gets all of it,
 * because a standby may be promoted. `replication`: needed by any primary and standby. `flatLists`: lets vacuum keep up
 * with deletes (docs/decisions/0009-lists-stay-flat.md). `embedded`: only for the pair that this program starts.
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
    // A streaming standby needs `replica`; the feed reads rows from the log.
    wal_level: 'logical',
    // Not below initdb's: a copy made before the primary's first start would refuse to be its standby.
    max_wal_senders: '10',
    max_replication_slots: '10',
    // WAL retained on the primary's disk for an unavailable standby; beyond it the standby is rebuilt.
    max_slot_wal_keep_size: '1GB',
    // A silent peer on the same machine is gone after this long; the default of 60 s exceeds our deadlines.
    wal_sender_timeout: '15s',
    wal_receiver_timeout: '15s',
    hot_standby: 'on',
    hot_standby_feedback: 'on',
    // How long replay waits for a conflicting read; ours end after 3 s. The default of 30 s would be lag.
    max_standby_streaming_delay: '3s',
    max_standby_archive_delay: '3s',
    primary_slot_name: 'messenger_standby',
    // With the default of 5 s, every restart of the primary would interrupt the standby for 5 s.
    wal_retrieve_retry_interval: '500ms',
  },
  flatLists: {
    // The interval of checks for tables that need a vacuum; the default is a minute.
    autovacuum_naptime: '1s',
    // How often the primary learns which rows the standby no longer reads. At the default of 10 s, vacuum keeps rows
    // that died in the last 10 s, and a page of the standby reads 454 buffers instead of 102 at 1 s.
    wal_receiver_status_interval: '1s',
    // PostgreSQL estimates a page's cost without its limit. For a large table it would compile the query, which takes
    // longer than the query.
    jit: 'off',
  },
  embedded: {
    both: {
      listen_addresses: '',
      unix_socket_permissions: '0700',
      logging_collector: 'off',
      log_destination: 'stderr',
      // Parsed by postgres-log.ts: SQLSTATE, process, backend type.
      log_line_prefix: '%e|%p|%b|',
      // Without DETAIL, CONTEXT and STATEMENT lines: they contain user input.
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

/** The physical replication slot that retains WAL for the standby. */
export const slotName = postgresSettings.replication.primary_slot_name;

/** Socket numbers of the two servers, which share a socket folder; nothing listens on TCP. */
export const embeddedPorts: Readonly<Record<Role, number>> = { primary: 5432, standby: 5433 };

/**
 * Roles of the embedded databases. The superuser is initdb's, for the supervisor's maintenance only; the application
 * owns its schema and nothing else.
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
  /** `off` keeps PostgreSQL's own defaults. */
  readonly tuning: 'on' | 'off';
  readonly socketDir: string;
  /** Where a primary archives its WAL; default: no archive. */
  readonly archiveDir?: string | undefined;
  readonly overrides?: Settings;
}

/** The maximum age of writes that are not archived. An archived segment has 16 MB, even if it is mostly empty. */
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

/** All settings of one embedded server. `overrides` take precedence; tests use them to provoke rare conditions. */
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
    // PostgreSQL parses a list of folders; the double quotes keep spaces inside a name.
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

/** The text of a pg_hba.conf: the kernel identifies the system's user, and pg_ident.conf maps it to roles. */
export const pgHbaConf = [
  generated,
  'local all all peer map=messenger',
  'local replication all peer map=messenger',
  '',
].join('\n');

/** The text of a pg_ident.conf: `osUser`, who runs the server, and root have our roles; no other user has any. */
export function renderPgIdentConf(osUser: string): string {
  const users = [...new Set([osUser, 'root'])];
  const lines = users.flatMap((user) => Object.values(roles).map((role) => `messenger "${user}" ${role}`));
  return [generated, ...lines, ''].join('\n');
}
