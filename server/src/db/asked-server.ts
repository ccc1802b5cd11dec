import { DatabaseError, type QueryResultRow } from 'pg';

import { channelOf, type Channel } from './channel.ts';
import type { Endpoint } from './endpoint.ts';
import { readMigrationStatus, type MigrationStatus } from './migrations.ts';
import { readFacts, type ServerFacts, type UnfitServer } from './server-facts.ts';
import { openSession, type SessionOptions } from './session.ts';

/** A server with one session, for questions about itself. Every question rejects as `pg` does. */
export interface AskedServer {
  /** Counts and sizes are to be cast to `int` or `float8`: `bigint` comes as text. */
  readonly ask: <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;
  readonly facts: () => Promise<ServerFacts | UnfitServer>;
  /** The migrations of a folder, and which of them the server's database has. */
  readonly migrations: (dir: string) => Promise<MigrationStatus[]>;
  readonly channel: Channel;
  /** Whether a question was left without an answer: the server froze or the connection broke, and all others would be, too. */
  readonly isLost: () => boolean;
  readonly close: () => Promise<void>;
}

/** Opens the session. Rejects as `pg` does. */
export async function openAskedServer(endpoint: Endpoint, session: SessionOptions): Promise<AskedServer> {
  const { client, close } = await openSession(endpoint, session);
  let isLost = false;
  const noticeLoss = async <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      // What the server itself says, a refusal too, is an answer.
      if (!(error instanceof DatabaseError)) isLost = true;
      throw error;
    });
  return {
    ask: async <Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
      (await noticeLoss(client.query<Row>(sql, [...values]))).rows,
    facts: async () => noticeLoss(readFacts(client)),
    migrations: async (dir) => readMigrationStatus(client, dir),
    channel: channelOf(client),
    isLost: () => isLost,
    close,
  };
}
