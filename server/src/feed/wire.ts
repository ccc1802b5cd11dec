import type { Position } from '../db/position.ts';
import type { FeedCommit, FeedRow } from './feed.ts';
import { encodeFrame } from './frames.ts';

/** Sent by a worker. Keys in the order in which it follows them; `join` says that the first ones are complete. */
export type FromWorker =
  | readonly ['follow', request: number, keys: readonly string[]]
  | readonly ['unfollow', keys: readonly string[]]
  | readonly ['join'];

type SentPosition = readonly [timeline: number, lsn: string];

/** Sent to a worker that has joined, except `followed`. */
export type ToWorker =
  | readonly ['followed', request: number, since: SentPosition | null]
  /** Commits after the position are delivered; earlier ones may have been missed. */
  | readonly ['gap', since: SentPosition]
  /** Nothing is delivered until the next `gap`. */
  | readonly ['down']
  | readonly ['commit', at: SentPosition, committedAtMs: number, rows: readonly FeedRow[]]
  | readonly ['message', prefix: string, content: string];

export function sent({ timeline, lsn }: Position): SentPosition {
  return [timeline, lsn.toString()];
}

export function received([timeline, lsn]: SentPosition): Position {
  return { timeline, lsn: BigInt(lsn) };
}

export function encodeForWorker(frame: ToWorker): Buffer {
  return encodeFrame(frame);
}

export function encodeCommit({ position, committedAtMs }: FeedCommit, rows: readonly FeedRow[]): Buffer {
  return encodeForWorker(['commit', sent(position), committedAtMs, rows]);
}
