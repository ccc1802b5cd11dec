import { randomBytes } from 'node:crypto';

import { Query } from 'pg';

import { cutConnection, socketOf } from '../db/connection.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { primaryPosition, type Position, type PositionRow } from '../db/position.ts';
import { openSession, type Session, type SessionOptions } from '../db/session.ts';
import { messageOf } from '../lib/error-code.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { publicationName } from './feed.ts';
import { type Decoded, PgoutputDecoder, toMs } from './pgoutput.ts';
import { parseSnapshot, type Snapshot } from './snapshot.ts';

export interface LogConnectionOptions {
  /** Of the primary, with a role that may replicate. */
  readonly endpoint: Endpoint;
  readonly connectTimeoutMs: number;
  /** Called for each message of the log, with its size, and when the server sent it in milliseconds since 1970. */
  readonly onDecoded: (decoded: Decoded, bytes: number, sentAtMs: number) => void;
  /** The server has sent all that it has. Call `confirmAll` when nothing waits. */
  readonly onIdle: () => void;
  /** Called once, when the connection ends for another reason than `close`. */
  readonly onEnded: (error: unknown) => void;
}

/** Creating the slot waits for the transactions that are running. */
const slotMs = 60_000;
/** A statement of one line that takes longer got no answer. */
const answerMs = 5_000;
/** Messages of either side go at least once in this time. */
const statusMs = 1_000;
/** A server that is silent for this long is gone; it is asked for a sign of life each second. */
const silenceMs = 10_000;

/** Two connections to one primary: its log from now on, and its snapshots. */
export class LogConnection {
  /** Commits after it are delivered. */
  readonly start: Position;
  readonly #options: LogConnectionOptions;
  readonly #log: Session;
  readonly #questions: Session;
  readonly #query: LogQuery;
  readonly #timer: NodeJS.Timeout;
  /** The end of what was handed on. */
  #confirmed: bigint;
  /** The server has sent everything up to here. */
  #sent: bigint;
  /** The end of its log. */
  #end: bigint;
  #asking: Promise<Snapshot> | undefined;
  #silentMs = 0;
  #isPaused = false;
  #isOver = false;

  /** Rejects as `pg` does: without the right to replicate, the publication, or a free slot; when the signal aborts, soon. */
  static async open(options: LogConnectionOptions, signal: AbortSignal): Promise<LogConnection> {
    const { endpoint, connectTimeoutMs } = options;
    const session: SessionOptions = { applicationName: 'messenger feed', connectTimeoutMs, statementTimeoutMs: 0 };
    const questions = await openSession(endpoint, { ...session, answerTimeoutMs: answerMs });
    try {
      const log = await openSession(endpoint, { ...session, replication: 'database' });
      const cut = (): void => cutConnection(log.client);
      signal.addEventListener('abort', cut);
      try {
        signal.throwIfAborted();
        return new LogConnection(options, log, questions, await createSlot(log, questions));
      } catch (error) {
        cut();
        await endBackend(questions, log);
        throw error;
      } finally {
        signal.removeEventListener('abort', cut);
      }
    } catch (error) {
      await questions.close();
      throw error;
    }
  }

  private constructor(options: LogConnectionOptions, log: Session, questions: Session, { name, start }: Slot) {
    this.#options = options;
    this.#log = log;
    this.#questions = questions;
    this.start = start;
    this.#confirmed = start.lsn;
    this.#sent = start.lsn;
    this.#end = start.lsn;
    this.#query = new LogQuery(name, (chunk) => this.#hear(chunk));
    this.#query.once('error', (error: unknown) => this.#fail(error));
    this.#query.once('end', () => this.#fail(new Error('the server ended the log')));
    log.client.once('end', () => this.#fail(new Error('the connection to the log was lost')));
    log.client.query(this.#query);
    this.#timer = setInterval(() => this.#check(), statusMs);
  }

  /** Bytes of the log that were not handed on yet. */
  get lagBytes(): number {
    return this.#end > this.#confirmed ? Number(this.#end - this.#confirmed) : 0;
  }

  /** Callers at one time share an answer. */
  async askSnapshot(): Promise<Snapshot> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  async #ask(): Promise<Snapshot> {
    const { rows } = await this.#questions.client.query<{ snapshot: string; end: string }>(snapshotQuery);
    const [row] = rows;
    if (row === undefined) throw new Error('the server returned no snapshot');
    this.#end = BigInt(row.end);
    return parseSnapshot(row.snapshot);
  }

  /** Everything before it was handed on: the server need not keep it. */
  confirm(lsn: bigint): void {
    this.#confirmed = lsn;
  }

  /** Everything that the server has sent was handed on. */
  confirmAll(): void {
    this.#confirmed = this.#sent;
  }

  pause(): void {
    this.#isPaused = true;
    socketOf(this.#log.client)?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    socketOf(this.#log.client)?.resume();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    // The temporary slot ends with its connection. A polite end would wait for the rest of the log.
    cutConnection(this.#log.client);
    await Promise.all([this.#log.close(), this.#questions.close()]);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#options.onEnded(error);
  }

  #hear(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#silentMs = 0;
    const kind = chunk[0];
    try {
      if (kind === kinds.data) {
        this.#options.onDecoded(
          this.#query.decoder.decode(chunk.subarray(25)),
          chunk.length,
          toMs(chunk.readBigInt64BE(17)),
        );
      } else if (kind === kinds.keepAlive) {
        this.#sent = chunk.readBigUInt64BE(1);
        this.#options.onIdle();
        if (chunk[17] === 1) this.#sendStatus(false);
      }
    } catch (error) {
      cutConnection(this.#log.client);
      this.#fail(error);
    }
  }

  #check(): void {
    if (!this.#isPaused) this.#silentMs += statusMs;
    if (this.#silentMs > silenceMs) {
      cutConnection(this.#log.client);
      this.#fail(new Error(`the server sent nothing for ${silenceMs} ms`));
    } else this.#sendStatus(this.#silentMs > statusMs);
    this.askSnapshot().catch((error: unknown) => this.#fail(error)); // For the lag.
  }

  /** `StandbyStatusUpdate`. https://www.postgresql.org/docs/18/protocol-replication.html#PROTOCOL-REPLICATION-START-REPLICATION */
  #sendStatus(wantsReply: boolean): void {
    const message = Buffer.alloc(39);
    message.write('d', 0, 'latin1');
    message.writeInt32BE(38, 1);
    message.write('r', 5, 'latin1');
    for (const at of [6, 14, 22]) message.writeBigUInt64BE(this.#confirmed, at);
    message[38] = wantsReply ? 1 : 0;
    socketOf(this.#log.client)?.write(message);
  }
}

const snapshotQuery = {
  name: 'feed.snapshot',
  text: `select pg_current_snapshot()::text as snapshot, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text as "end"`,
};

/** `w` and `k`, the messages of the server. */
const kinds = { data: 0x77, keepAlive: 0x6b };

interface Slot {
  readonly name: string;
  readonly start: Position;
}

/** A server that waits for a transaction does not notice that its client has left: it would keep the slot until then. */
async function endBackend(questions: Session, { client }: Session): Promise<void> {
  const processId = 'processID' in client ? client.processID : undefined;
  await questions.client.query('select pg_terminate_backend($1)', [processId]).catch(() => undefined);
}

/** A slot that ends with the session. Rejects when the two sessions are on different servers. */
async function createSlot({ client }: Session, questions: Session): Promise<Slot> {
  const { rows: servers } = await client.query<{ timeline: string }>('IDENTIFY_SYSTEM');
  const { rows: positions } = await questions.client.query<PositionRow>(primaryPosition.text);
  const [[server], [position]] = [servers, positions];
  if (server === undefined || position === undefined || Number(server.timeline) !== position.timeline)
    throw new Error('the primary changes at the moment');
  const name = `messenger_feed_${randomBytes(6).toString('hex')}`;
  const creating = client.query<{ consistent_point: string }>(
    `CREATE_REPLICATION_SLOT ${name} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')`,
  );
  creating.catch(() => undefined);
  const { rows } = await withDeadline(creating, slotMs).catch((error: unknown) => {
    throw new Error(`the slot could not be created: ${messageOf(error)}`, { cause: error });
  });
  return { name, start: { timeline: position.timeline, lsn: parseLsn(rows[0]?.consistent_point ?? '') } };
}

/** Of `16/B374D848`. */
function parseLsn(text: string): bigint {
  const [high = '', low = ''] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** Without streamed transactions, every transaction arrives at once, when it is committed. */
const optionsOfLog = `(proto_version '2', publication_names '${publicationName}', messages 'true')`;

/** The stream of one slot. `pg` hands it each CopyData message, and reuses the memory. */
class LogQuery extends Query {
  readonly decoder = new PgoutputDecoder();
  readonly #hear: (chunk: Buffer) => void;

  constructor(slot: string, hear: (chunk: Buffer) => void) {
    super(`START_REPLICATION SLOT ${slot} LOGICAL 0/0 ${optionsOfLog}`);
    this.#hear = hear;
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#hear(chunk);
  }
}
