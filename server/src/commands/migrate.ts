import type { LoadedConfig } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { locatePrimary } from '../db/locate-primary.ts';
import { makeMigration, migrateDown, migrateUp, migrationStatus, type MigrationTarget } from '../db/migrations.ts';
import { withPrimary } from '../embedded/only-primary.ts';
import { externalEndpoints } from '../endpoints.ts';
import type { Clock } from '../lib/clock.ts';
import { migrationsDir } from '../prepare-databases.ts';
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
  return await onPrimary(config, services, async (endpoint) =>
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

/** The operator's server, or the embedded primary: the running one, else one that is started for this command alone. */
async function onPrimary<T>(
  config: LoadedConfig['config'],
  { log, clock, signal }: CommandServices,
  use: (endpoint: Endpoint) => Promise<T>,
): Promise<T> {
  const external = externalEndpoints(config);
  const { connectTimeoutMs } = config.db;
  const session = { applicationName: 'messenger migrate', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  if (external !== undefined)
    return await untilStopped(
      locatePrimary(external, session).then(async ({ write }) => use(write)),
      signal,
    );
  return await withPrimary({ ...config.embedded, log, clock }, signal, use);
}

/** The end of the process ends its session, and the transaction of the migrations with it. */
async function untilStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await Promise.race([work, stopped]);
}
