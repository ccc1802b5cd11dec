import { before } from 'node:test';

import { createApp, type App } from '../src/app.ts';
import type { Config } from '../src/config.ts';
import { loadConfig } from '../src/load-config.ts';
import { leastOpen } from '../src/db/connection-budget.ts';
import { listOf, type EndpointPair, type Endpoints } from '../src/db/endpoint.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { noWatch } from './collections.ts';
import type { DatabaseFixture } from './database.ts';
import { createLog, type Log } from '../src/telemetry/log.ts';
import type { Tracing } from '../src/telemetry/tracing.ts';

export interface TestAppOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly maxOpen?: number;
  readonly log?: Log;
  readonly tracing?: Tracing;
  readonly worker?: number;
  /** With sockets. */
  readonly feedPath?: string;
  readonly forgetElsewhere?: (key: string) => Promise<void>;
}

/** `DB_BATCHING=off npm test` runs everything without batches, except the tests about them; so do other options. */
function testConfig(env: Readonly<Record<string, string>>): Config {
  const { DB_BATCHING = 'on', DB_PREPARED_STATEMENTS = 'on' } = process.env;
  return loadConfig({ flags: {}, env: { DB_BATCHING, DB_PREPARED_STATEMENTS, ...env }, file: undefined }).config;
}

export async function createTestApp(
  endpoints: Endpoints | EndpointPair,
  { env = {}, maxOpen = 4, log, tracing, worker = 1, feedPath, forgetElsewhere }: TestAppOptions = {},
): Promise<App> {
  return await createApp(
    {
      config: testConfig(env),
      endpoints: 'reads' in endpoints ? endpoints : listOf(endpoints),
      maxOpen: { write: maxOpen, read: Math.max(leastOpen.read, maxOpen) },
      connectionLimits: { total: 1_000, perAddress: 0 },
      worker,
      feedPath,
      url: 'http://127.0.0.1:8080',
      version: '0.0.0',
    },
    {
      log: log ?? createLog({ level: 'silent', name: 'test', pretty: false }),
      clock: monotonicClock,
      random: Math.random,
      tracing,
      forgetElsewhere,
      watch: noWatch,
    },
  );
}

/** One app for the tests of a file. `listen` gives it a port, for tests that `inject` cannot do. */
export function useApp(
  database: DatabaseFixture,
  options: TestAppOptions & { readonly listen?: boolean } = {},
): () => App & { readonly port: number } {
  let app: App | undefined;
  let port = 0;
  before(async () => {
    const { endpoints } = await database.created;
    app = await createTestApp(endpoints, options);
    if (options.listen === true) {
      const address = await app.http.listen({ host: '127.0.0.1', port: 0 });
      port = Number(new URL(address).port);
    }
  });
  database.beforeDrop(async () => {
    app?.http.server.closeAllConnections();
    await app?.http.close();
    await app?.close();
  });
  return () => {
    if (app === undefined) throw new Error('the app is there only while tests run');
    return { ...app, port };
  };
}
