import type { Position } from '../db/position.ts';

/** One of the published tables. */
export interface FeedTable {
  readonly name: string;
  /** Columns by whose values rows are followed. They are part of the replica identity, because a delete has no others. */
  readonly keys: readonly string[];
  /** Columns that the publication leaves out: secrets, and large ones that no worker reads. */
  readonly without: readonly string[];
}

/** One changed row. */
export interface FeedRow {
  readonly table: string;
  readonly kind: 'insert' | 'update' | 'delete';
  /** As PostgreSQL writes them. Large values that did not change are missing; a delete has only the replica identity. */
  readonly values: Readonly<Record<string, string | null>>;
}

/** A committed transaction, with those of its rows that are followed. */
export interface FeedCommit {
  /** The end of the commit in the log: a read that covers it finds the rows. */
  readonly position: Position;
  /** Milliseconds since 1970, by the clock of the primary. */
  readonly committedAtMs: number;
  readonly rows: readonly FeedRow[];
}

export interface FeedListener {
  /** In the order of commits. Every read that begins now and covers the position finds the rows. */
  onCommit(commit: FeedCommit): void;
  /** An ephemeral message: `pg_logical_emit_message(false, prefix, content)`, where the content is JSON with a `key` that is followed. */
  onMessage(prefix: string, content: string): void;
  /** Commits may be missing: read what you follow, at this position or later. Commits after it are delivered. */
  onGap(since: Position): void;
}

/** What a worker is told by the feed. */
export interface FeedLink {
  /**
   * Follows the rows with these values in key columns: `conversation_id:…`. Resolves when later commits are delivered; read then, at the
   * resulting position or later. Undefined without a connection to the log: `onGap` follows. Never rejects.
   */
  follow(...keys: readonly string[]): Promise<Position | undefined>;
  unfollow(...keys: readonly string[]): void;
  /** Whether commits are delivered now. */
  readonly isLive: boolean;
  close(): Promise<void>;
}

/** The key of a column and its value. */
export function keyOf(column: string, value: string): string {
  return `${column}:${value}`;
}

/** The publication that the migrations make, and the prefix of ephemeral messages. */
export const publicationName = 'messenger';
