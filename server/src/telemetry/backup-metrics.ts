import { readLastBackup, type LastBackup } from '../backup/record.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { Metrics, type Snapshot } from './metrics.ts';

export interface BackupOptions {
  /** The folder of the backups; undefined: no metrics of backups. */
  readonly dir: string | undefined;
  readonly maxAgeHours: number;
}

/** In ms. A network file system that takes longer counts as unavailable. */
const answerMs = 500;

/** Each call reads the results of the last backups. Never rejects; an unavailable folder has no metrics. */
export function backupMeter({ dir, maxAgeHours }: BackupOptions): () => Promise<Snapshot> {
  if (dir === undefined) return async () => ({});
  // A pending read occupies a thread of libuv's pool, so at most one runs.
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
