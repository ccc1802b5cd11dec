import { runFeed } from '../feed/run-feed.ts';
import type { FeedLaunch } from '../feed-service.ts';
import { monotonicClock } from '../lib/clock.ts';
import { runChildProcess, type ChildChannel } from '../process/child-process.ts';
import { createLog, isPretty } from '../telemetry/log.ts';

/** The process of the feed, which the supervisor starts; not a command for users. */
export function startFeedProcess(
  channel: ChildChannel<FeedLaunch> & { readonly errIsTerminal: boolean },
): ReturnType<typeof runChildProcess> {
  return runChildProcess(channel, async ({ log: { level, format }, feed }: FeedLaunch) => {
    const log = createLog({ level, name: 'feed', pretty: isPretty(format, channel.errIsTerminal) });
    return await runFeed(feed, { log, clock: monotonicClock, random: Math.random });
  });
}
