import { titleOf } from '../ops-page/format.js';
import type { Occurrence } from './events.ts';
import type { LiveServer } from './live-sample.ts';

interface Known {
  readonly startedSeconds: number;
  readonly timeline: number;
}

/**
 * Detects restarts between samples, including those shorter than the sample interval. A promotion is not a restart; the watch of
 * the server roles records it.
 */
export class DatabaseChanges {
  #known: ReadonlyMap<string, Known> = new Map();

  /** Changes since the previous sample. */
  follow(servers: readonly LiveServer[]): readonly Occurrence[] {
    const before = this.#known;
    const now = new Map(servers.flatMap((server) => knownOf(server)));
    this.#known = new Map([...before, ...now].filter(([name]) => servers.some((server) => server.name === name)));
    const earlierStarts = new Set([...before.values()].map(({ startedSeconds }) => startedSeconds));
    return [...now].flatMap(([name, { startedSeconds, timeline }]) => {
      const known = before.get(name);
      if (known === undefined) return [];
      if (name === 'primary' && timeline < known.timeline) return [restored(known.timeline, timeline)];
      // A server renamed by a promotion has not restarted.
      return earlierStarts.has(startedSeconds) ? [] : [restart(name)];
    });
  }
}

function knownOf({ name, startedSeconds, timeline }: LiveServer): readonly [string, Known][] {
  return startedSeconds === undefined || timeline === undefined ? [] : [[name, { startedSeconds, timeline }]];
}

function restart(name: string): Occurrence {
  return { kind: 'database', level: 'warn', text: `${titleOf(name)} was restarted, or recovered from a crash` };
}

function restored(before: number, now: number): Occurrence {
  const text = `The primary is on timeline ${now}, after ${before}: a backup was restored`;
  return { kind: 'database', level: 'warn', text };
}
