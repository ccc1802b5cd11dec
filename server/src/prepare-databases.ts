import { fileURLToPath } from 'node:url';

import type { LoadedConfig } from './config.ts';
import { fitConnections } from './connection-limit.ts';
import { placeOf, type Endpoint, type Endpoints } from './db/endpoint.ts';
import { migrateUp } from './db/migrations.ts';
import type { Role } from './db/pool.ts';
import { assertStandbyDurability } from './db/standby-durability.ts';
import { waitForReplay } from './db/replay.ts';
import { waitForServers } from './db/wait-for-servers.ts';
import { fitPools, planPools } from './plan-pools.ts';
import type { ConnectionLimits } from './http/connections.ts';
import type { Log } from './telemetry/log.ts';

export const migrationsDir = fileURLToPath(new URL('../migrations', import.meta.url));

/** How long a start waits for a new schema to reach the read server, before it lets reads fail for a while. */
const replayMs = 10_000;

/** The databases as a start found them. */
export interface PreparedDatabases {
  /** With the primary as `write`. */
  readonly endpoints: Endpoints;
  readonly systemIdentifier: string;
  /** Connections of one worker to the write server, and to each read server. */
  readonly maxOpen: Readonly<Record<Role, number>>;
  /** Of clients, to one worker: what the databases leave. */
  readonly connectionLimits: ConnectionLimits;
}

export interface PrepareOptions {
  readonly loaded: LoadedConfig;
  readonly workers: number;
  readonly isEmbedded: boolean;
  readonly random: () => number;
  readonly log: Log;
}

/** Finds the servers, fits the pools into them, and brings the schema up to date. Rejects as `waitForServers` does. */
export async function prepareDatabases(
  configured: Endpoints,
  { loaded, workers, isEmbedded, random, log }: PrepareOptions,
  signal: AbortSignal,
): Promise<PreparedDatabases> {
  const { connectTimeoutMs, durability } = loaded.config.db;
  // Our own standby is fit by construction, and may come up after the primary; readiness waits for it, the start not.
  const asked = isEmbedded ? { write: configured.write, reads: [configured.write] } : configured;
  const found = await waitForServers(asked, { connectTimeoutMs, signal, random, log });
  const endpoints = isEmbedded ? configured : found.endpoints;
  // Our own pair has the settings that this needs.
  if (durability === 'standby' && !isEmbedded) await assertStandbyDurability(endpoints.write, connectTimeoutMs);
  const planned = {
    write: found.write,
    reads: found.reads.map((read) => ({ ...read, isApart: isEmbedded })),
  };
  const maxOpen = fitPools(planPools(loaded, workers, planned), log);
  const connectionLimits = fitConnections(loaded, countConnections(maxOpen, endpoints), log);
  const applied = await migrateUp({ endpoint: endpoints.write, dir: migrationsDir, connectTimeoutMs, log });
  if (applied.length > 0) {
    log.info({ applied }, 'the schema was migrated');
    const present = isEmbedded ? endpoints.reads : found.reads.map(({ endpoint }) => endpoint);
    await replicate({ write: endpoints.write, reads: present }, connectTimeoutMs, log, signal);
  }
  return { endpoints, systemIdentifier: found.write.systemIdentifier, maxOpen, connectionLimits };
}

/** Of one worker, to all servers together. */
function countConnections({ write, read }: Record<Role, number>, { reads, otherWrites = [] }: Endpoints): number {
  const readServers = new Set([...reads, ...otherWrites].map(placeOf));
  return write + read * readServers.size;
}

async function replicate(
  { write, reads }: Endpoints,
  connectTimeoutMs: number,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(replayMs)]);
  const wait = async (read: Endpoint): Promise<void> => {
    if (await waitForReplay({ write, read }, session, inTime)) return;
    log.warn({ read: placeOf(read) }, 'the read server does not have the schema yet');
  };
  await Promise.all(reads.map(wait));
}
