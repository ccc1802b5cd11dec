import type { About, Server } from './about.ts';
import { doctorLimits } from './limits.ts';

/** A primary that answers queries with `ask`: for faults that real servers on one machine cannot have. */
export function serverThatAnswers(
  ask: (values: readonly unknown[] | undefined) => readonly object[],
  changes: Partial<Server> = {},
): Server {
  return {
    where: 'primary',
    role: 'primary',
    endpoint: { host: 'db', port: 5432, user: 'u', database: 'd' },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The test gives the rows that the check expects.
    ask: async <Row>(_sql: string, values?: readonly unknown[]) => ask(values) as Row[],
    facts: async () => ({ version: 180_004, unfit: 'version' }),
    migrations: async () => [],
    channel: { address: undefined, tls: undefined },
    isLost: () => false,
    close: async () => undefined,
    ...changes,
  };
}

/** A server with one worker on external databases. */
export const about: About = {
  maxLagMs: 5_000,
  workers: 1,
  nowMs: 0,
  durability: 'disk',
  isEmbedded: false,
  feed: { realtime: 'off', userOf: ({ user }) => user, tables: [] },
  plannedConnections: { primary: 1, standby: 1 },
  migrationsDir: '',
  expected: { tables: [], unlogged: [], indexes: new Map() },
  planPools: () => [],
  machineOf: () => ({}),
  limits: doctorLimits,
};
