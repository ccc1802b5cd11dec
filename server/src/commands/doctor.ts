import type { LoadedConfig } from '../config.ts';
import { listOf, type Endpoints } from '../db/endpoint.ts';
import { inspectServers } from '../db/server-facts.ts';
import type { SessionOptions } from '../db/session.ts';
import type { About } from '../doctor/about.ts';
import { examine } from '../doctor/examine.ts';
import { listExpectedIndexes } from '../doctor/expected-indexes.ts';
import { fail, ok, type Finding } from '../doctor/finding.ts';
import { checkOpenFiles } from '../doctor/open-files.ts';
import { checkBatching, checkPools } from '../doctor/pools.ts';
import { makeReport, renderReport } from '../doctor/report.ts';
import { checkSchema } from '../doctor/schema.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { endpointsIn } from '../embedded/socket-folder.ts';
import { externalEndpoints } from '../endpoints.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { openFilesLimit } from '../process/open-files-limit.ts';
import { planPools } from '../plan-pools.ts';
import { migrationsDir } from '../supervise.ts';
import { createLog } from '../telemetry/log.ts';
import { exitCodes, type Io } from './io.ts';

/** For one question; a healthy server answers each of ours in a few ms. */
const statementTimeoutMs = 10_000;

/** `messenger doctor`: prints what is right and what is wrong. Resolves with the exit code. */
export async function doctor(loaded: LoadedConfig, options: { readonly json: boolean }, io: Io): Promise<number> {
  const endpoints = externalEndpoints(loaded.config) ?? (await runningEndpoints(loaded));
  const report = makeReport(endpoints === undefined ? [nothingRuns(loaded)] : await examineAll(loaded, endpoints));
  io.out(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : renderReport(report));
  return report.status === 'fail' ? exitCodes.failed : exitCodes.ok;
}

async function runningEndpoints({ config }: LoadedConfig): Promise<Endpoints | undefined> {
  const running = await findRunningServer(config.embedded.dataDir);
  return running && listOf(endpointsIn(running.sockets));
}

function nothingRuns({ config }: LoadedConfig): Finding {
  const found = `no server runs on ${config.embedded.dataDir}, and its databases run only with it`;
  return fail({ check: 'answers', where: 'primary' }, found, 'Start it, or name its folder with --data-dir.');
}

async function examineAll(loaded: LoadedConfig, endpoints: Endpoints): Promise<Finding[]> {
  const { connectTimeoutMs, batching } = loaded.config.db;
  const session = { applicationName: 'messenger doctor', connectTimeoutMs, statementTimeoutMs };
  const about = await describe(loaded);
  return [
    ...(await examineServers(endpoints, session, about)),
    ...(await examineTogether(loaded, endpoints, session)),
    checkBatching(batching === 'on'),
    checkOpenFiles(openFilesLimit(), about),
  ];
}

/** The primary is looked at once, each standby with it. */
async function examineServers({ write, reads }: Endpoints, session: SessionOptions, about: About): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, read] of reads.entries()) {
    const found = await examine({ write, read }, session, about);
    findings.push(...found.filter(({ where }) => index === 0 || where !== 'primary'));
  }
  return findings;
}

async function describe({ config }: LoadedConfig): Promise<About> {
  const { server, db, writeDb, readDb } = config;
  const workers = workersOf(config);
  return {
    maxLagMs: db.readMaxLagMs,
    plannedConnections: { primary: writeDb.maxOpenConns * workers, standby: readDb.maxOpenConns * workers },
    connectionsOfWorker: server.maxConnections + writeDb.maxOpenConns + readDb.maxOpenConns,
    indexes: await listExpectedIndexes(migrationsDir),
    unusedAfterHours: 24,
  };
}

function workersOf({ server }: LoadedConfig['config']): number {
  return server.enablePrefork ? server.workers : 1;
}

/** Whether the servers fit to one another, to the pools, and to this version; nothing when one of them is away. */
async function examineTogether(
  loaded: LoadedConfig,
  endpoints: Endpoints,
  session: SessionOptions,
): Promise<Finding[]> {
  const workers = workersOf(loaded.config);
  const subject = { check: 'fit for Messenger', where: 'both' } as const;
  try {
    const servers = await inspectServers(endpoints, session);
    return [
      ok(subject, 'version, database and cluster of all'),
      ...checkPools(planPools(loaded, workers, servers), workers),
      await readSchema(loaded, endpoints),
    ];
  } catch (error) {
    if (!(error instanceof OperatorError)) return [];
    return [fail(subject, error.message, 'The server will not start like this.')];
  }
}

async function readSchema({ config }: LoadedConfig, { write }: Endpoints): Promise<Finding> {
  const log = createLog({ level: 'silent', name: 'doctor', pretty: false });
  const { connectTimeoutMs } = config.db;
  return await checkSchema({ endpoint: write, dir: migrationsDir, connectTimeoutMs, log });
}
