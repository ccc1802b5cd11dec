import type { Collect } from './collection.ts';
import type { Level, ServerEvent } from './events.ts';
import type { HistoryRow } from './history.ts';
import type { LiveSample } from './live-sample.ts';
import type { Figures } from './figures.ts';

/** What `/ops` shows, and what is new since the reader last asked. Plain data. */
export interface Live {
  readonly seen: Seen;
  readonly sample: LiveSample;
  /** Undefined with the first sample. */
  readonly figures: Figures | undefined;
  readonly verdict: Verdict;
  /** New rows, oldest first. */
  readonly history: HistoryPart;
  /** New and changed events, oldest first. */
  readonly events: readonly ServerEvent[];
}

interface HistoryPart {
  readonly columns: readonly (keyof Figures)[];
  readonly rows: readonly HistoryRow[];
}

/** How much of the history and of the events a reader has. */
export interface Seen {
  readonly rows: number;
  readonly revision: number;
}

export const nothingSeen: Seen = { rows: -1, revision: 0 };

export interface Verdict {
  /** Of the worst finding. */
  readonly level: 'ok' | 'warn' | 'bad';
  /** The worst first. */
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly level: Exclude<Level, 'info'>;
  readonly text: string;
}

/** Resolves with the next sample that the reader does not have, within about two seconds; at once with the newest for `nothingSeen`. */
export type AskLive = (seen: Seen) => Promise<Live>;

/** What any process can ask for and report; the supervisor knows the answers. */
export interface Watch {
  readonly collect: Collect;
  readonly live: AskLive;
  /** A wrong METRICS_TOKEN came from this address. */
  readonly wrongToken: (address: string) => void;
}
