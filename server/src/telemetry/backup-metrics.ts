import { readLastBackup, type LastBackup } from '../backup/record.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { Metrics, type Snapshot } from './metrics.ts';

export interface BackupOptions {
  /** Where the backups are; undefined: they are not watched. */
  readonly dir: string | undefined;
  readonly maxAgeHours: number;
}

/** A network file system that takes longer does not answer. In ms. */
const answerMs = 500;

/** Reads, at each call, how the last backups ended. Never rejects; a folder that does not answer has no metrics. */
export function backupMeter({ dir, maxAgeHours }: BackupOptions): () => Promise<Snapshot> {
  if (dir === undefined) return async () => ({});
  // A question that is open holds a thread of the pool, so there is at most one.
  let asked: Promise<LastBackup | undefined> | undefined;
  return async () => {
    asked ??= readLastBackup(dir)
      .catch(() => undefined)
      .finally(() => (asked = undefined));
    const last = await withDeadline(asked, answerMs).catch(() => undefined);
    if (last === undefined) return {};
    const metrics = new Metrics();
    metrics.set('messenger_backup_last_success_time_seconds', (last.succeededMs ?? 0) / 1_000);
    metrics.set('messenger_backup_last_failure_time_seconds', (last.failedMs ?? 0) / 1_000);
    metrics.set('messenger_backup_max_age_seconds', maxAgeHours * 3_600);
    return metrics.snapshot();
  };
}
