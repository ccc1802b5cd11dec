import type { Collect } from './collection.ts';
import { DatabaseChanges } from './database-changes.ts';
import type { Events } from './events.ts';
import { figuresOf, type Figures } from './figures.ts';
import { History, historyColumns } from './history.ts';
import { conditionsOf, recentWith } from './judge.ts';
import type { AskLive, Live, Seen, Verdict } from './live.ts';
import { sampleOf, type LiveSample } from './live-sample.ts';
import { judge } from './verdict.ts';

/** A collection takes up to a second, so a change is visible within two. */
const everyMs = 750;

/**
 * Samples all processes and databases continuously, in the supervisor. So a page shows the last 15 minutes when it opens,
 * whichever worker serves it, and the events since the start.
 */
export class LiveWatch {
  readonly #collect: Collect;
  readonly #events: Events;
  readonly #history = new History();
  readonly #changes = new DatabaseChanges();
  #recent: readonly LiveSample[] = [];
  #figures: Figures | undefined;
  #verdict: Verdict = { level: 'ok', findings: [] };
  #next = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #isSampling = false;
  #hasServed = false;

  constructor(collect: Collect, events: Events) {
    this.#collect = collect;
    this.#events = events;
  }

  start(): void {
    this.#timer = setInterval(() => void this.sample(), everyMs).unref();
    void this.sample();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  readonly live: AskLive = async (seen) => {
    let sample = this.#recent.at(-1);
    while (sample === undefined || seen.rows >= this.#history.count) {
      await this.#next.promise;
      sample = this.#recent.at(-1);
    }
    return this.#since(seen, sample);
  };

  /** Takes one sample, unless one is pending. Never rejects: monitoring must not end the process. */
  async sample(): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    try {
      this.#add(sampleOf(await this.#collect(everyMs / 2)));
    } catch {
      // The next sample shows the state then.
    }
    this.#isSampling = false;
  }

  #add(sample: LiveSample): void {
    const previous = this.#recent.at(-1);
    if (previous?.atMs === sample.atMs) return;
    this.#recent = recentWith(this.#recent, sample);
    // After the clock was set back, the interval is unknown.
    if (previous !== undefined && sample.atMs > previous.atMs) {
      this.#figures = figuresOf(previous, sample);
      this.#history.add(this.#figures);
    }
    for (const change of this.#changes.follow(sample.servers)) this.#events.record(change);
    const conditions = conditionsOf(this.#recent);
    this.#hasServed ||= sample.workers.serving > 0;
    // Servers that become ready during the start are not events.
    if (this.#hasServed) this.#events.follow(conditions);
    this.#verdict = judge(conditions, this.#events.since(0), sample);
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  #since(seen: Seen, sample: LiveSample): Live {
    return {
      seen: { rows: this.#history.count, revision: this.#events.revision },
      sample,
      figures: this.#figures,
      verdict: this.#verdict,
      history: { columns: historyColumns, rows: this.#history.since(seen.rows) },
      events: this.#events.since(seen.revision),
    };
  }
}
