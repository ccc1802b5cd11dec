import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { statfs } from 'node:fs/promises';
import { Readable } from 'node:stream';

import { Query, type Client } from 'pg';

import { placeOf, type Endpoint } from '../db/endpoint.ts';
import { withClient, type SessionOptions } from '../db/session.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { unpack } from './unpack.ts';

/** A completely received base backup, as described by the server. Its times are of the server's clock. */
export interface BaseBackup {
  readonly systemIdentifier: string;
  /** `backup_manifest`, byte for byte. */
  readonly manifest: Buffer;
  /** RFC 3339, UTC. */
  readonly endedAt: string;
  readonly walSegmentBytes: number;
}

/** https://www.postgresql.org/docs/18/protocol-replication.html#PROTOCOL-REPLICATION-BASE-BACKUP */
const command = `BASE_BACKUP (LABEL 'messenger backup', CHECKPOINT 'fast', WAL true, WAIT false, PROGRESS true,
  MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256')`;

/** Free space that a backup leaves, because the databases may share the disk. */
const reserveBytes = 64 * 1_048_576;
/** Bytes written between two checks of the free space. */
const checkedBytes = 16 * 1_048_576;

interface Source {
  pause(): unknown;
  resume(): unknown;
}

/** The query, and the tar archive that the server sends; applies backpressure to the server. */
class BaseBackupQuery extends Query {
  readonly archive: Readable;
  readonly manifest: Buffer[] = [];
  readonly tablespaces: string[] = [];
  sizeBytes = 0;
  #source: Source | undefined;
  #part: 'archive' | 'manifest' = 'archive';

  constructor() {
    super(command);
    this.archive = new Readable({ read: () => void this.#source?.resume() });
    this.on('row', (row: Readonly<Record<string, unknown>>) => this.#hear(row));
    this.on('error', (error: Error) => void this.archive.destroy(error));
  }

  #hear({ spclocation, size }: Readonly<Record<string, unknown>>): void {
    if (typeof spclocation === 'string') this.tablespaces.push(spclocation);
    if (size !== undefined && size !== null) this.sizeBytes += Number(size) * 1_024;
  }

  /** Called by `pg` for each CopyData message; the chunk's memory is reused afterwards. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }, { stream }: { readonly stream: Source }): void {
    this.#source = stream;
    const kind = String.fromCharCode(chunk[0] ?? 0);
    if (kind === 'm') {
      this.#part = 'manifest';
      this.archive.push(null);
      // A complete archive requests no more data, but the manifest is still to come.
      stream.resume();
    }
    if (kind !== 'd') return;
    const content = Buffer.from(chunk.subarray(1));
    if (this.#part === 'manifest') this.manifest.push(content);
    else if (!this.archive.push(content)) stream.pause();
  }
}

/**
 * Receives the data directory of a running PostgreSQL server, with the WAL that it needs, into an empty folder. A
 * temporary slot retains that WAL on the server. Rejects with `OperatorError` for tablespaces and lack of space, else
 * as `pg` does.
 */
export async function receiveBaseBackup(
  endpoint: Endpoint,
  folder: string,
  session: SessionOptions,
  signal: AbortSignal,
): Promise<BaseBackup> {
  return await withClient(endpoint, { ...session, replication: 'database' }, async (client) => {
    const slot = `messenger_backup_${randomBytes(4).toString('hex')}`;
    await client.query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY PHYSICAL (RESERVE_WAL)`);
    const query = new BaseBackupQuery();
    const ended = once(query, 'end', { signal });
    client.query(query);
    await Promise.all([unpack(checkedArchive(query, endpoint, folder), folder, signal), ended]);
    return { manifest: Buffer.concat(query.manifest), ...(await describe(client)) };
  });
}

const endSql = `select clock_timestamp() as "endedAt", setting::int as "walSegmentBytes" from pg_settings where name = 'wal_segment_size'`;

async function describe(client: Client): Promise<Omit<BaseBackup, 'manifest'>> {
  const { rows: systems } = await client.query<{ systemid: string }>('IDENTIFY_SYSTEM');
  const { rows: ends } = await client.query<Pick<BaseBackup, 'endedAt' | 'walSegmentBytes'>>(endSql);
  const [[system], [end]] = [systems, ends];
  if (system === undefined || end === undefined) throw new Error('the server did not identify itself');
  return { systemIdentifier: system.systemid, ...end };
}

/** The archive; throws before the disk is full. */
async function* checkedArchive(query: BaseBackupQuery, endpoint: Endpoint, folder: string): AsyncGenerator<Buffer> {
  let expected: number | undefined;
  let unchecked = 0;
  for await (const chunk of query.archive) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('the archive is not binary');
    if (expected === undefined) refuseTablespaces(query.tablespaces, endpoint);
    if (expected === undefined || unchecked > checkedBytes) {
      expected ??= query.sizeBytes;
      await assertRoom(folder, expected);
      unchecked = 0;
    }
    unchecked += chunk.length;
    expected = Math.max(0, expected - chunk.length);
    yield chunk;
  }
}

function refuseTablespaces(tablespaces: readonly string[], endpoint: Endpoint): void {
  if (tablespaces.length === 0) return;
  throw new OperatorError(
    `${placeOf(endpoint)} has the tablespace ${tablespaces[0]}, which \`messenger backup\` cannot copy. Use pg_basebackup of ` +
      'PostgreSQL 18 with --tablespace-mapping.',
  );
}

function inMiB(bytes: number): number {
  return Math.ceil(bytes / 1_048_576);
}

async function assertRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes - neededBytes >= reserveBytes) return;
  throw new OperatorError(
    `No space left for the backup: it needs ${inMiB(neededBytes + reserveBytes)} MiB more, and ${inMiB(freeBytes)} MiB are free. ` +
      'Free some, or name a folder on another disk.',
  );
}
