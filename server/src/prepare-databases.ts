import { fileURLToPath } from 'node:url';

import type { LoadedConfig } from './config.ts';
import { fitConnections } from './connection-limit.ts';
import { placeOf, type Endpoint, type Endpoints } from './db/endpoint.ts';
import { inspectStandbys } from './db/inspect-standbys.ts';
import { migrateUp, migrationStatus } from './db/migrations.ts';
import type { Role } from './db/pool.ts';
import { assertStandbyDurability } from './db/standby-durability.ts';
import { waitForReplay } from './db/replay.ts';
import { waitForServers } from './db/wait-for-servers.ts';
import { fitPools, planPools } from './plan-pools.ts';
import type { ConnectionLimits } from './http/connections.ts';
import type { Log } from './telemetry/log.ts';

export const migrationsDir = fileURLToPath(new URL('../migrations', import.meta.url));

/** How long a start waits until the read server has replayed a new schema; then reads may fail for a while. */
const replayMs = 10_000;

/** The databases found by a start. */
export interface PreparedDatabases {
  /** With the primary as `write`. */
  readonly endpoints: Endpoints;
  readonly systemIdentifier: string;
  /** Connections of one worker to the write server, and to each read server. */
  readonly maxOpen: Readonly<Record<Role, number>>;
  /** Client connections of one worker, as far as the databases leave room. */
  readonly connectionLimits: ConnectionLimits;
  /** False while only standbys are known: they serve reads, and writes are refused. */
  readonly isPrimaryReady: boolean;
}

export interface PrepareOptions {
  readonly loaded: LoadedConfig;
  readonly workers: number;
  readonly isEmbedded: boolean;
  readonly random: () => number;
  readonly log: Log;
  /** See `waitForServers`. */
  readonly isEnough?: () => Promise<boolean>;
}

/**
 * For a start: `prepareDatabases`, or, if the primary does not answer, the standbys that have the whole schema. Without
 * any, it waits for the primary.
 */
export async function prepareStart(
  configured: Endpoints,
  options: PrepareOptions,
  signal: AbortSignal,
): Promise<PreparedDatabases> {
  let standbys: PreparedDatabases | undefined;
  const isEnough = async (): Promise<boolean> => {
    standbys = await prepareStandbys(configured, options);
    return standbys !== undefined;
  };
  try {
    return await prepareDatabases(configured, { ...options, isEnough }, signal);
  } catch (error) {
    if (standbys === undefined) throw error;
    options.log.error('the primary does not answer: only reads are served until it does');
    return standbys;
  }
}

/**
 * Undefined when no standby has the whole schema. The primary is assumed to have as many connections as the first of
 * them.
 */
async function prepareStandbys(
  configured: Endpoints,
  { loaded, workers, isEmbedded, log }: PrepareOptions,
): Promise<PreparedDatabases | undefined> {
  const { connectTimeoutMs } = loaded.config.db;
  const session = { applicationName: 'messenger start', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  const standbys = await inspectStandbys(configured, session);
  const [first] = standbys;
  const haveSchema = standbys.map(async ({ endpoint }) => isMigrated(endpoint, connectTimeoutMs, log));
  if (first === undefined || !(await Promise.all(haveSchema)).every(Boolean)) return undefined;
  const planned = { write: first.facts, reads: standbys.map((read) => ({ ...read, isApart: isEmbedded })) };
  const maxOpen = fitPools(planPools(loaded, workers, planned), log);
  const endpoints = { ...configured, reads: standbys.map(({ endpoint }) => endpoint) };
  const connectionLimits = fitConnections(loaded, countConnections(maxOpen, endpoints), log);
  const { systemIdentifier } = first.facts;
  return { endpoints, systemIdentifier, maxOpen, connectionLimits, isPrimaryReady: false };
}

/** False also when it cannot be determined. */
async function isMigrated(endpoint: Endpoint, connectTimeoutMs: number, log: Log): Promise<boolean> {
  try {
    const status = await migrationStatus({ endpoint, dir: migrationsDir, connectTimeoutMs, log });
    return status.every(({ applied }) => applied);
  } catch {
    return false;
  }
}

/** Finds the servers, fits the pools into them, and migrates the schema. Rejects as `waitForServers` does. */
export async function prepareDatabases(
  configured: Endpoints,
  { loaded, workers, isEmbedded, random, log, isEnough }: PrepareOptions,
  signal: AbortSignal,
): Promise<PreparedDatabases> {
  const { connectTimeoutMs, durability } = loaded.config.db;
  // Our own standby needs no check and may come up after the primary; readiness waits for it, the start does not.
  const asked = isEmbedded ? { write: configured.write, reads: [configured.write] } : configured;
  const found = await waitForServers(asked, { connectTimeoutMs, signal, random, log, isEnough });
  const endpoints = isEmbedded ? configured : found.endpoints;
  // Our own pair has the required settings.
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
  const { systemIdentifier } = found.write;
  return { endpoints, systemIdentifier, maxOpen, connectionLimits, isPrimaryReady: true };
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
