import type { QueryResultRow } from 'pg';

import type { Endpoint } from './endpoint.ts';
import { withClient, type SessionOptions } from './session.ts';

/** A server with one session, for questions about itself. */
export interface AskedServer {
  readonly role: 'primary' | 'standby';
  /** Rejects as `pg` does. Counts and sizes are to be cast to `int` or `float8`: `bigint` comes as text. */
  readonly ask: <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;
}

/** Opens the session, hands the server to `use`, and closes the session whatever happens. */
export async function withAskedServer<T>(
  role: AskedServer['role'],
  endpoint: Endpoint,
  session: SessionOptions,
  use: (server: AskedServer) => Promise<T>,
): Promise<T> {
  return await withClient(endpoint, session, async (client) =>
    use({
      role,
      ask: async <Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(sql, [...values])).rows,
    }),
  );
}
