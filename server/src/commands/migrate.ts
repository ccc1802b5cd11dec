import type { LoadedConfig } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { makeMigration, migrateDown, migrateUp, migrationStatus, type MigrationTarget } from '../db/migrations.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { embeddedEndpoints } from '../embedded/socket-folder.ts';
import { EmbeddedPair } from '../embedded/pair.ts';
import { externalEndpoints } from '../endpoints.ts';
import type { Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { startServices, stopServices } from '../process/service-group.ts';
import { migrationsDir } from '../supervise.ts';
import type { Log } from '../telemetry/log.ts';

export type MigrateAction =
  | { readonly do: 'up' }
  | { readonly do: 'down'; readonly count: number }
  | { readonly do: 'status' }
  | { readonly do: 'make'; readonly title: string };

export interface CommandServices {
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `messenger migrate …`. Resolves with the lines to print. */
export async function migrate(
  { config }: LoadedConfig,
  action: MigrateAction,
  services: CommandServices,
): Promise<string[]> {
  if (action.do === 'make') return [await makeMigration(migrationsDir, action.title)];
  const { connectTimeoutMs } = config.db;
  return await withPrimary(config, services, async (endpoint) =>
    run({ endpoint, dir: migrationsDir, connectTimeoutMs, log: services.log }, action),
  );
}

async function run(target: MigrationTarget, action: Exclude<MigrateAction, { do: 'make' }>): Promise<string[]> {
  switch (action.do) {
    case 'up': {
      const applied = await migrateUp(target);
      return applied.length === 0 ? ['nothing to do'] : applied.map((name) => `applied ${name}`);
    }
    case 'down': {
      const undone = await migrateDown(target, action.count);
      return undone.length === 0 ? ['nothing to do'] : undone.map((name) => `took back ${name}`);
    }
    case 'status': {
      const all = await migrationStatus(target);
      return all.map(({ name, applied }) => `${applied ? 'applied' : 'pending'}  ${name}`);
    }
  }
}

/** The operator's server, that of the server which runs on the data folder, or one started for this command alone. */
async function withPrimary<T>(
  config: LoadedConfig['config'],
  { log, clock, signal }: CommandServices,
  use: (endpoint: Endpoint) => Promise<T>,
): Promise<T> {
  const external = externalEndpoints(config);
  if (external !== undefined) return await use(external.write);
  const { dataDir } = config.embedded;
  if ((await findRunningServer(dataDir)) !== undefined) return await use((await embeddedEndpoints(dataDir)).write);
  const onFatal = (reason: string): never => {
    throw new OperatorError(reason);
  };
  const pair = new EmbeddedPair({ ...config.embedded, log, clock, onFatal });
  const { startTimeoutMs, shutdownTimeoutMs } = config.server;
  const group = { startTimeoutMs, stopTimeoutMs: shutdownTimeoutMs, log };
  await startServices([pair], group, signal);
  try {
    return await use(pair.endpoints.write);
  } finally {
    await stopServices([pair], group, signal);
  }
}
