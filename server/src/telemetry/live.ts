import type { Collect } from './collection.ts';
import type { Level, ServerEvent } from './events.ts';
import type { HistoryRow } from './history.ts';
import type { LiveSample } from './live-sample.ts';
import type { Figures } from './figures.ts';

/** The data of `/ops`: the current state, and what is new for the reader. Plain data. */
export interface Live {
  readonly seen: Seen;
  readonly sample: LiveSample;
  /** Undefined for the first sample. */
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

/** A reader's position in the history and the events. */
export interface Seen {
  readonly rows: number;
  readonly revision: number;
}

export const nothingSeen: Seen = { rows: -1, revision: 0 };

export interface Verdict {
  /** Of the worst finding. */
  readonly level: 'ok' | 'warn' | 'bad';
  /** Most severe first. */
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly level: Exclude<Level, 'info'>;
  readonly text: string;
}

/**
 * Resolves with the next sample after the reader's position, within about two seconds; for `nothingSeen` at once, with the
 * newest.
 */
export type AskLive = (seen: Seen) => Promise<Live>;

/** Requests and reports that any process can send to the supervisor. */
export interface Watch {
  readonly collect: Collect;
  readonly live: AskLive;
  /** Reports a wrong METRICS_TOKEN from this address. */
  readonly wrongToken: (address: string) => void;
}
