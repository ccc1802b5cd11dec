import type { FeedRow } from './feed.ts';

/** One message of the plugin `pgoutput`, protocol 2, without streamed transactions. */
export type Decoded =
  | { readonly type: 'begin'; readonly xid: number }
  /** Two rows when an update has changed the replica identity: the old one as a delete. */
  | { readonly type: 'rows'; readonly rows: readonly FeedRow[] }
  | { readonly type: 'truncate' }
  | { readonly type: 'commit'; readonly endLsn: bigint; readonly committedAtMs: number }
  | { readonly type: 'message'; readonly isTransactional: boolean; readonly prefix: string; readonly content: string }
  /** Types and origins, which nothing here needs. */
  | { readonly type: 'other' };

interface Relation {
  readonly table: string;
  readonly columns: readonly Column[];
}

interface Column {
  readonly name: string;
  readonly isKey: boolean;
  /** Whether its values are ASCII: these are cut from one text per row, at a fifth of the cost. */
  readonly isAscii: boolean;
}

/** In `pg_type`: boolean, integers, timestamptz, uuid, uuid[]. */
const asciiTypes: ReadonlySet<number> = new Set([16, 20, 21, 23, 1184, 2950, 2951]);

/** PostgreSQL counts microseconds since 2000. */
const epochMs = Date.UTC(2000, 0, 1);

export function toMs(microseconds: bigint): number {
  return epochMs + Number(microseconds) / 1_000;
}

/**
 * Decodes the messages of one replication session; it remembers the columns of tables, which the server describes before their first row.
 * https://www.postgresql.org/docs/18/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  readonly #relations = new Map<number, Relation>();

  /** Throws for a message that the options exclude. The result shares no memory with `bytes`. */
  decode(bytes: Buffer): Decoded {
    const reader = new Reader(bytes);
    const tag = reader.char();
    switch (tag) {
      case 'B':
        reader.skip(16);
        return { type: 'begin', xid: reader.int32() };
      case 'C':
        reader.skip(9);
        return { type: 'commit', endLsn: reader.uint64(), committedAtMs: toMs(reader.int64()) };
      case 'R':
        this.#learn(reader);
        return { type: 'other' };
      case 'I':
      case 'U':
      case 'D':
        return { type: 'rows', rows: this.#rows(tag, reader) };
      case 'T':
        return { type: 'truncate' };
      case 'M':
        return readMessage(reader);
      case 'Y':
      case 'O':
        return { type: 'other' };
      default:
        throw new Error(`the log has an unexpected message of type ${JSON.stringify(tag)}`);
    }
  }

  #learn(reader: Reader): void {
    const oid = reader.int32();
    reader.text(); // The schema: the publication names tables of `public` only.
    const table = reader.text();
    reader.skip(1);
    const columns = Array.from({ length: reader.int16() }, () => {
      const isKey = reader.int8() === 1;
      const name = reader.text();
      const isAscii = asciiTypes.has(reader.int32());
      reader.skip(4);
      return { name, isKey, isAscii };
    });
    this.#relations.set(oid, { table, columns });
  }

  #rows(tag: 'I' | 'U' | 'D', reader: Reader): readonly FeedRow[] {
    const relation = this.#relations.get(reader.int32());
    if (relation === undefined) throw new Error('the log has a row of an unknown table');
    const { table } = relation;
    const part = reader.char();
    if (part === 'N') return [{ table, kind: tag === 'I' ? 'insert' : 'update', values: readTuple(reader, relation) }];
    const old = { table, kind: 'delete', values: readTuple(reader, relation, part === 'K') } as const;
    if (tag === 'D') return [old];
    reader.skip(1);
    return [old, { table, kind: 'update', values: readTuple(reader, relation) }];
  }
}

function readMessage(reader: Reader): Decoded {
  const isTransactional = reader.int8() === 1;
  reader.skip(8);
  const prefix = reader.text();
  return { type: 'message', isTransactional, prefix, content: reader.sized() };
}

/** `t`, and `u` for a large value that did not change; others are nulls. */
const kinds = { text: 0x74, unchanged: 0x75 };

/** `onlyKey`: the other columns of an old key are sent as nulls. */
function readTuple(reader: Reader, { columns }: Relation, onlyKey = false): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  const count = reader.int16();
  for (let n = 0; n < count; n += 1) {
    const column = columns[n];
    if (column === undefined) throw new Error('the log has a row with more columns than its table');
    const kind = reader.int8();
    const value = kind === kinds.text ? (column.isAscii ? reader.ascii() : reader.sized()) : null;
    if (kind !== kinds.unchanged && (!onlyKey || column.isKey)) values[column.name] = value;
  }
  return values;
}

/** Reads numbers and texts one after the other. */
class Reader {
  readonly #bytes: Buffer;
  #latin1: string | undefined;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(count: number): void {
    this.#at += count;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#move(1));
  }

  char(): string {
    return String.fromCharCode(this.int8());
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#move(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#move(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#move(8));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#move(8));
  }

  /** Up to a zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError('the log has a text without an end');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /** With its length before it. */
  sized(): string {
    const length = this.int32();
    const start = this.#move(length);
    if (this.#at > this.#bytes.length) throw new RangeError('the log has a truncated value');
    return this.#bytes.toString('utf8', start, this.#at);
  }

  /** The same, of a value that is ASCII. */
  ascii(): string {
    const length = this.int32();
    const start = this.#move(length);
    if (this.#at > this.#bytes.length) throw new RangeError('the log has a truncated value');
    this.#latin1 ??= this.#bytes.toString('latin1');
    return this.#latin1.slice(start, this.#at);
  }

  #move(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
