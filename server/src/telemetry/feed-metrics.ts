import type { HubCounts } from '../feed/hub.ts';
import type { LogState } from '../feed/log-follower.ts';
import { Metrics, type Snapshot } from './metrics.ts';
import { readProcess } from './process-metrics.ts';

/** The metrics of the feed. */
export function measureFeed(state: LogState, counts: HubCounts, isAlone: boolean): Snapshot {
  const metrics = new Metrics();
  metrics.set('messenger_feed_live', state.isLive ? 1 : 0);
  metrics.set('messenger_feed_lag_bytes', state.lagBytes);
  metrics.set('messenger_feed_lag_seconds', state.lagMs / 1_000);
  metrics.set('messenger_feed_commits_total', counts.commits);
  metrics.set('messenger_feed_rows_total', counts.rows);
  metrics.set('messenger_feed_messages_total', counts.messages);
  for (const [cause, count] of Object.entries(counts.gaps)) metrics.set('messenger_feed_gaps_total', count, cause);
  metrics.set('messenger_feed_workers', counts.workers);
  metrics.set('messenger_feed_keys', counts.keys);
  if (isAlone) readProcess(metrics, 'feed');
  return metrics.snapshot();
}
