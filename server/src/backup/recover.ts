import { join, resolve } from 'node:path';

import type { Binaries } from '../embedded/binaries.ts';
import { writeClusterFile, writeConfiguration } from '../embedded/cluster-files.ts';
import { messageOf } from '../lib/error-code.ts';
import { startPostgres } from '../embedded/postgres-process.ts';
import { renderPostgresConf, settingsFor } from '../embedded/settings.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Log } from '../telemetry/log.ts';

/** Where the replay of archived WAL ends. */
export interface RecoveryTarget {
  /** ISO 8601 with a zone, or `latest`. */
  readonly time: string;
  /** The timeline to follow, if the databases were restored before; default: the newest in the archive. */
  readonly timeline?: number | undefined;
}

interface Recovery {
  readonly binaries: Binaries;
  /** A data directory of a backup. */
  readonly dir: string;
  readonly sockets: string;
  readonly archiveDir?: string | undefined;
  readonly target?: RecoveryTarget | undefined;
  readonly log: Log;
}

const latest = 'latest';

/** Time for the server to stop after its recovery. */
const stopMs = 60_000;

/** ISO 8601. The zone is required, to avoid a restore to another zone's time. */
const zonedTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)$/u;

/** Throws `OperatorError` unless `text` is a time. */
export function parseTargetTime(text: string): string {
  if (text === latest || (zonedTime.test(text) && !Number.isNaN(Date.parse(text)))) return text;
  throw new OperatorError(
    `--to-time ${JSON.stringify(text)} is not a time. Use ISO 8601 with a zone, such as 2026-11-27T14:30:00Z or 2026-11-27T15:30:00+01:00, or "${latest}".`,
  );
}

/** Throws `OperatorError` for a time before the end of the backup. */
export function refuseEarlier(target: RecoveryTarget | undefined, endedAt: string): void {
  if (target === undefined || target.time === latest || Date.parse(target.time) > Date.parse(endedAt)) return;
  throw new OperatorError(
    `The backup ended at ${endedAt}, and ${target.time} is not later. Restore an older backup to that time.`,
  );
}

/**
 * Runs the server of a backup until it has recovered and begun a new timeline, then stops it. Rejects with
 * `OperatorError` when the archive does not reach the target.
 */
export async function recover(recovery: Recovery, signal: AbortSignal): Promise<void> {
  const { binaries, dir, log } = recovery;
  let lastTransaction: string | undefined;
  await writeConfiguration(dir, renderPostgresConf(recoverySettings(recovery)));
  await writeClusterFile(join(dir, 'recovery.signal'), '');
  const onLine = ({ text }: { readonly text: string }): void => {
    lastTransaction ??= /^last completed transaction was at log time (.+)$/u.exec(text)?.[1];
  };
  try {
    const server = await startPostgres({ binaries, role: 'primary', dir, log, onLine }, signal);
    await server.stop(AbortSignal.timeout(stopMs));
  } catch (error) {
    if (recovery.target === undefined || !messageOf(error).includes('recovery ended before')) throw error;
    throw tooLate(recovery.target, lastTransaction, error);
  }
}

function tooLate({ time }: RecoveryTarget, lastTransaction: string | undefined, cause: unknown): OperatorError {
  return new OperatorError(
    `The archive ends before ${time}: its last transaction is of ${lastTransaction ?? 'a time before the backup'}.\n` +
      `Restore to that time or an earlier one, or to "${latest}". A server archives its newest WAL when it is stopped, else within 5 minutes.\n` +
      'Where the databases were restored before, name the timeline of the time that you want with --timeline; the first one is 1.',
    { cause },
  );
}

function recoverySettings({ sockets, archiveDir, target }: Recovery): Readonly<Record<string, string>> {
  const { time, timeline = latest } = target ?? { timeline: 'current' };
  const until: Readonly<Record<string, string>> =
    time === undefined
      ? { recovery_target: 'immediate' }
      : time === latest
        ? {}
        : { recovery_target_time: inNumbers(time) };
  const overrides = {
    // No reads before the recovery is complete.
    hot_standby: 'off',
    restore_command: archiveDir === undefined ? 'false' : `cp ${shellWord(resolve(archiveDir))}/%f "%p"`,
    recovery_target_timeline: String(timeline),
    recovery_target_action: 'promote',
    ...until,
  };
  return settingsFor('primary', { synchronousCommit: 'on', tuning: 'on', socketDir: sockets, archiveDir, overrides });
}

/** PostgreSQL reads this setting before it loads zone names, including `Z`. */
function inNumbers(time: string): string {
  return time.replace(/Z$/u, '+00:00');
}

/** Quoted for the shell of `restore_command`, in which `%` is special to PostgreSQL. */
function shellWord(path: string): string {
  return `'${path.replaceAll('%', '%%').replaceAll("'", String.raw`'\''`)}'`;
}
