import { DatabaseError, type QueryResultRow } from 'pg';

import { channelOf, type Channel } from './channel.ts';
import type { Endpoint } from './endpoint.ts';
import { readMigrationStatus, type MigrationStatus } from './migrations.ts';
import { readFacts, type ServerFacts, type UnfitServer } from './server-facts.ts';
import { openSession, type SessionOptions } from './session.ts';

/** A session for queries about one server. All of them reject as `pg` does. */
export interface AskedServer {
  /** Cast counts and sizes to `int` or `float8`: `bigint` arrives as text. */
  readonly ask: <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;
  readonly facts: () => Promise<ServerFacts | UnfitServer>;
  /** The migrations of a folder, with their state in the server's database. */
  readonly migrations: (dir: string) => Promise<MigrationStatus[]>;
  readonly channel: Channel;
  /** Whether a query got no answer: the server froze or the connection broke, so further queries would fail, too. */
  readonly isLost: () => boolean;
  readonly close: () => Promise<void>;
}

/** Opens the session. Rejects as `pg` does. */
export async function openAskedServer(endpoint: Endpoint, session: SessionOptions): Promise<AskedServer> {
  const { client, close } = await openSession(endpoint, session);
  let isLost = false;
  const noticeLoss = async <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      // An error reported by the server is an answer, too.
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
