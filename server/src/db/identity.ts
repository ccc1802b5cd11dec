/** The identity of a server, as it reports it. */
export interface Identity {
  /** Made by initdb: a standby has that of its primary, also after a promotion. */
  readonly systemIdentifier: string;
  /** With the system identifier, unique to a running server. */
  readonly startedAt: string;
  readonly inRecovery: boolean;
}

/** Columns of a `select`. Our sessions use UTC, so two servers format the same time alike. */
export const identityColumns = `
  (select system_identifier::text from pg_control_system()) as "systemIdentifier",
  pg_postmaster_start_time()::text as "startedAt",
  pg_is_in_recovery() as "inRecovery"`;

/** Whether two names lead to one running server. */
export function areOneServer(one: Identity, other: Identity): boolean {
  return one.systemIdentifier === other.systemIdentifier && one.startedAt === other.startedAt;
}

/**
 * Why this server is not a standby of that primary, as the end of a sentence; undefined when it follows it, or is it.
 */
export function strangenessOf(read: Identity, write: Identity): string | undefined {
  if (read.systemIdentifier !== write.systemIdentifier)
    return 'is not a standby of the write server: it is another database cluster';
  if (read.inRecovery || write.inRecovery || areOneServer(read, write)) return undefined;
  return 'is a copy of the write server that no longer follows it: it was promoted';
}

/** The same with timelines: a promotion begins a new one, and only its followers are on it. */
export function misfitOf(read: Identity & OnTimeline, write: Identity & OnTimeline): string | undefined {
  if (!read.inRecovery && read.timeline < write.timeline) return 'is the primary from before a failover';
  const strangeness = strangenessOf(read, write);
  if (strangeness !== undefined || read.timeline === write.timeline) return strangeness;
  return `is on timeline ${read.timeline} and the primary on ${write.timeline}: it does not follow the primary`;
}

interface OnTimeline {
  readonly timeline: number;
}
