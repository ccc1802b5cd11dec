import { formatDuration } from '../ops-page/format.js';
import type { Condition, ServerEvent } from './events.ts';
import type { Finding, Verdict } from './live.ts';

/** How long a condition that has ended stays in the verdict. */
const newsMs = 60_000;
/** Databases and workers become ready one after another: events of this time are not in the verdict. */
const startMs = 10_000;
const mostNews = 3;

/** The conditions that hold now or have just ended: a crash of 0.3 s stays visible for a while. */
export function judge(
  conditions: readonly Condition[],
  events: readonly ServerEvent[],
  { atMs, startedAtMs }: { readonly atMs: number; readonly startedAtMs: number },
): Verdict {
  const news = events
    .filter((event) => event.atMs > startedAtMs + startMs && isNews(event))
    .flatMap(({ endedMs, text }) => (endedMs === undefined ? [] : [{ text, agoMs: Math.max(0, atMs - endedMs) }]))
    .filter(({ agoMs }) => agoMs < newsMs)
    .toReversed()
    .slice(0, mostNews);
  const findings: Finding[] = [
    ...conditions.map(({ level, text }) => ({ level: level === 'bad' ? ('bad' as const) : ('warn' as const), text })),
    ...news.map(({ agoMs, text }) => ({
      level: 'warn' as const,
      text: `${formatDuration(agoMs / 1_000)} ago: ${text}`,
    })),
  ].toSorted((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
  return { level: findings[0]?.level ?? 'ok', findings };
}

/** Slowness and lag leave the verdict as soon as they end; a wrong token is not a problem of the server. */
function isNews({ atMs, endedMs, level, kind }: ServerEvent): boolean {
  if (level === 'info' || kind === 'access' || endedMs === undefined) return false;
  return level === 'bad' || endedMs === atMs || kind === 'database';
}
