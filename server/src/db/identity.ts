/** Which server it is, in its own words. */
export interface Identity {
  /** Made by initdb: a standby has that of its primary, and so has a copy that was promoted. */
  readonly systemIdentifier: string;
  /** With the system identifier, tells a running server from every other one. */
  readonly startedAt: string;
  readonly inRecovery: boolean;
}

/** Of a `select`. Times are UTC in our sessions, so two servers tell the same one alike. */
export const identityColumns = `
  (select system_identifier::text from pg_control_system()) as "systemIdentifier",
  pg_postmaster_start_time()::text as "startedAt",
  pg_is_in_recovery() as "inRecovery"`;

/** Whether two names lead to one running server. */
export function areOneServer(one: Identity, other: Identity): boolean {
  return one.systemIdentifier === other.systemIdentifier && one.startedAt === other.startedAt;
}

/** Why this server cannot answer for that primary, as the end of a sentence; undefined when it follows it, or is it. */
export function strangenessOf(read: Identity, write: Identity): string | undefined {
  if (read.systemIdentifier !== write.systemIdentifier)
    return 'is not a standby of the write server: it is another database cluster';
  if (read.inRecovery || write.inRecovery || areOneServer(read, write)) return undefined;
  return 'is a copy of the write server that follows it no more: it has been promoted';
}

/** The same, of servers on known timelines: a promotion begins a new one, and only those that follow it are on it. */
export function misfitOf(read: Identity & OnTimeline, write: Identity & OnTimeline): string | undefined {
  if (!read.inRecovery && read.timeline < write.timeline) return 'is the primary of before a failover';
  const strangeness = strangenessOf(read, write);
  if (strangeness !== undefined || read.timeline === write.timeline) return strangeness;
  return `is on timeline ${read.timeline} and the primary on ${write.timeline}: it does not follow the primary`;
}

interface OnTimeline {
  readonly timeline: number;
}
