import { findFeedProblems } from '../feed/capability.ts';
import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { fail, ok, warn } from './finding.ts';

const feedsSql = `
  select count(*)::int as count,
         coalesce(max(pg_current_wal_flush_lsn() - confirmed_flush_lsn), 0)::float8 as "lagBytes"
  from pg_replication_slots where slot_name like 'messenger\\_feed\\_%' and database = current_database()`;

/** The live page has the same limit. */
const maxLagBytes = 64 * 1_048_576;

/** Checks that the feeds of all nodes can follow the log of the primary, and do. */
export const checkRealtime: ServerCheck = async (server, { feed }) => {
  const subject = { check: 'realtime', where: server.where } as const;
  if (feed.realtime === 'off') return [ok(subject, 'REALTIME=off')];
  const problems = await findFeedProblems(server, feed.userOf(server.endpoint), feed.tables);
  if (problems.length > 0) {
    const refusal = feed.realtime === 'on' ? fail : warn;
    return problems.map(({ found, advice }) => refusal(subject, found, `${advice}.`));
  }
  const { count, lagBytes } = await askOne<{ count: number; lagBytes: number }>(server, feedsSql);
  if (count === 0)
    return [warn(subject, 'no feed follows the log', 'Start the server with REALTIME=auto or on, and see its log.')];
  const found = `${count} ${count === 1 ? 'feed' : 'feeds'}, ${Math.round(lagBytes / 2 ** 20)} MB behind`;
  if (lagBytes < maxLagBytes) return [ok(subject, found)];
  return [warn(subject, found, 'Realtime events are late: see the CPU of the server and of the feed on /ops.')];
};
