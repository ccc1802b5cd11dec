import { crc32 } from 'node:zlib';

import { identityColumns, type Identity } from './identity.ts';
import { statement } from './statement.ts';

/**
 * A position in the write-ahead log. Positions of different timelines cannot be compared; each promotion of a standby begins a new
 * timeline.
 */
export interface Position {
  readonly timeline: number;
  readonly lsn: bigint;
}

/** A position on no timeline, which no standby can be known to have replayed: reads go to the primary. */
export const onlyOnPrimary: Position = { timeline: 0, lsn: 0n };

/** Whether a server at `reached` has everything up to `wanted`. */
export function covers(reached: Position | undefined, wanted: Position): boolean {
  return reached !== undefined && reached.timeline === wanted.timeline && reached.lsn >= wanted.lsn;
}

/** The later of two positions of one client; the second one if they cannot be compared. */
export function latest(first: Position | undefined, second: Position): Position {
  return first !== undefined && covers(first, second) ? first : second;
}

/**
 * Row of the statements below; `incarnation` changes with each start of the server, and with each recovery from a crash: a
 * backend that dies of a signal makes a standby replay from its last restart point again, under the same postmaster.
 */
export interface PositionRow {
  /** Null on a standby that has replayed nothing. */
  readonly lsn: string | null;
  readonly timeline: number;
  readonly incarnation: string;
}

/**
 * Of a standby: the timeline that it receives; without a connection to the primary, the newest that its control file knows,
 * which may be an older one. Fields of function calls: subqueries for the same values take twice the time of the statement
 * (docs/decisions/0046-cost-of-positions.md).
 */
export const timelineColumn = `
  case when not pg_is_in_recovery() then ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       else coalesce((pg_stat_get_wal_receiver()).received_tli,
                     greatest((pg_control_checkpoint()).timeline_id, (pg_control_recovery()).min_recovery_end_timeline)) end`;

/** What a standby has replayed; of a server that is none, the same as on the primary. */
const replayColumns = `
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::text as lsn,
  ${timelineColumn} as timeline,
  concat_ws(' ', pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()) as incarnation`;

/**
 * Includes every commit on the primary: `pg_current_wal_lsn()` lags behind commits that do not wait for the disk. Query it in a statement
 * after the commit; within the writing statement it precedes the commit.
 */
export const primaryPosition = statement<PositionRow>(
  'position.primary',
  `select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text as lsn,
          ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline,
          pg_postmaster_start_time()::text as incarnation`,
);

/** The flushed position of the primary. Unlike the insert position, a standby always reaches it. */
export const flushedPosition = statement<PositionRow & Identity>(
  'position.flushed',
  `select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text as lsn,
          ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int as timeline,
          pg_postmaster_start_time()::text as incarnation,
          ${identityColumns}`,
);

/** A server's identity, role and position. */
export interface ServerStatus extends PositionRow, Identity {
  /** Whether a new transaction of ours may write; a standby is always read-only. */
  readonly readOnly: boolean;
  /** On the disk of a server that is not in recovery, so that a standby can have it; null on a standby. */
  readonly flushed: string | null;
}

export const serverStatus = statement<ServerStatus>(
  'server.status',
  `select ${replayColumns},
          case when not pg_is_in_recovery() then (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text end as flushed,
          current_setting('transaction_read_only') = 'on' as "readOnly",
          ${identityColumns}`,
);

/** Only the replayed position of a standby, queried after each batch of reads. */
export const replayPosition = statement<PositionRow>('position.standby', `select ${replayColumns}`);

const positions = new WeakMap<PositionRow, Position>();

/** Undefined when there is no row, or nothing was ever replayed. The callers of a batch share the row, the position and its token. */
export function toPosition(row: PositionRow | undefined): Position | undefined {
  if (typeof row?.lsn !== 'string') return undefined;
  let position = positions.get(row);
  if (position === undefined) positions.set(row, (position = { timeline: row.timeline, lsn: BigInt(row.lsn) }));
  return position;
}

/** The flushed position of a primary; undefined on a standby. */
export function toFlushed(status: ServerStatus | undefined): Position | undefined {
  return typeof status?.flushed === 'string' ? { timeline: status.timeline, lsn: BigInt(status.flushed) } : undefined;
}

const tokens = new WeakMap<Position, string>();

/** A position as an opaque token of 20 characters. Created once per position, not per answer. */
export function encodeToken(position: Position): string {
  let token = tokens.get(position);
  if (token === undefined) tokens.set(position, (token = renderToken(position)));
  return token;
}

/** Bytes: 4 timeline, 8 position, 3 of a checksum, so that a damaged token is refused and not misread. */
function renderToken({ timeline, lsn }: Position): string {
  const bytes = Buffer.alloc(tokenBytes);
  bytes.writeUInt32BE(timeline, 0);
  bytes.writeBigUInt64BE(lsn, 4);
  bytes.writeUIntBE(checksum(bytes), 12, 3);
  return bytes.toString('base64url');
}

const tokenBytes = 15;

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(0, 12)) & 0xff_ff_ff;
}

/** Undefined for text that `encodeToken` cannot produce. */
export function decodeToken(token: string): Position | undefined {
  if (!/^[\w-]{20}$/u.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.readUIntBE(12, 3) !== checksum(bytes)) return undefined;
  return { timeline: bytes.readUInt32BE(0), lsn: bytes.readBigUInt64BE(4) };
}
