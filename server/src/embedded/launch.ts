import { join } from 'node:path';

import type { EndpointPair } from '../db/endpoint.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Binaries } from './binaries.ts';
import { writeConfiguration } from './cluster-files.ts';
import { type DataLayout, exists } from './data-folder.ts';
import { messageOf } from '../lib/error-code.ts';
import { endStragglers, settleOrphan } from './orphans.ts';
import type { LogLine } from './postgres-log.ts';
import { type PostgresProcess, startPostgres } from './postgres-process.ts';
import { ensureDatabase, ensureRoles, giveSchema } from './roles.ts';
import { type Durability, renderPostgresConf, type Role, settingsFor, type SynchronousCommit } from './settings.ts';
import { ensureSlot } from './slot.ts';
import { removeStaleSocket } from './socket-folder.ts';
import { withSession } from './sql.ts';
import { poll, within } from './wait.ts';

/** Additional PostgreSQL settings by role. Tests use them to provoke rare conditions. */
export type Overrides = Readonly<Partial<Record<Role, Readonly<Record<string, string>>>>>;

/** Fixed once a data folder is open, and shared by all parts of the pair. */
export interface PairContext {
  readonly layout: DataLayout;
  readonly binaries: Binaries;
  readonly endpoints: EndpointPair;
  readonly synchronousCommit: SynchronousCommit;
  readonly durability: Durability | undefined;
  readonly archiveDir: string | undefined;
  readonly tuning: 'on' | 'off';
  readonly overrides: Overrides;
  readonly log: Log;
  readonly clock: Clock;
}

async function prepare(context: PairContext, role: Role): Promise<void> {
  const dir = context.layout[role];
  const socketDir = context.endpoints.write.host;
  if (!(await exists(join(dir, 'PG_VERSION')))) throw new Error(`${dir} holds no database (no PG_VERSION)`);
  await settleOrphan(dir, context.log);
  await removeStaleSocket(socketDir, role);
  const overrides = context.overrides[role] ?? {};
  const settings = settingsFor(role, {
    synchronousCommit: context.synchronousCommit,
    durability: context.durability,
    archiveDir: context.archiveDir,
    tuning: context.tuning,
    socketDir,
    overrides,
  });
  await writeConfiguration(dir, renderPostgresConf(settings));
}

/** After a kill -9 of a postmaster its backends end by themselves; until then PostgreSQL refuses to start. */
const oldBackends = 'pre-existing shared memory block';
/** Grace time for backends, which the postmaster's death wakes, before they are killed. */
const patienceMs = 500;
/** Time limit of the whole step. */
const oldBackendsMs = 10_000;

/** Starts the server of a role on its folder: settles orphans, writes the configuration, waits until it is ready. */
export async function launch(
  context: PairContext,
  role: Role,
  signal: AbortSignal,
  onLine: (line: LogLine) => void = () => {},
): Promise<PostgresProcess> {
  await prepare(context, role);
  const { binaries, layout, log } = context;
  const dir = layout[role];
  const patienceEnd = within(signal, patienceMs);
  const retriesEnd = within(signal, oldBackendsMs);
  const attempt = async (): Promise<PostgresProcess | undefined> => {
    try {
      return await startPostgres({ binaries, role, dir, log, onLine }, signal);
    } catch (error) {
      if (!messageOf(error).includes(oldBackends) || retriesEnd.aborted) throw error;
      if (patienceEnd.aborted) await endStragglers(dir, log);
      return undefined;
    }
  };
  return poll(attempt, { everyMs: 100, signal });
}

/** Creates what a running primary lacks: the standby's slot, our roles and the database. */
export async function readyPrimary(context: PairContext): Promise<void> {
  const primary = context.endpoints.write;
  await withSession(primary, async (client) => {
    await ensureRoles(client);
    await ensureSlot(client);
    await ensureDatabase(client, primary);
  });
  await withSession(primary, giveSchema, primary.database);
}
