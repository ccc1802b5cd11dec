import { opennessOf } from '../account-options.ts';
import { styleText } from 'node:util';

import type { Command } from 'commander';

import type { LoadedConfig } from '../config.ts';
import { listOf, placeOf, type Endpoint, type Endpoints } from '../db/endpoint.ts';
import { locatePrimary } from '../db/locate-primary.ts';
import type { SessionOptions } from '../db/session.ts';
import type { Configured } from '../doctor/about.ts';
import { checkBackup } from '../doctor/backup.ts';
import { checkDisk } from '../doctor/disk.ts';
import { examine, type Examined } from '../doctor/examine.ts';
import { listExpectedObjects } from '../doctor/expected-objects.ts';
import { checkExposure } from '../doctor/exposure.ts';
import { fail, type Finding, type Status } from '../doctor/finding.ts';
import { doctorLimits } from '../doctor/limits.ts';
import { machineOf } from '../doctor/machine.ts';
import { checkOpenFiles } from '../doctor/open-files.ts';
import { makeReport, renderReport } from '../doctor/report.ts';
import { layoutOf } from '../embedded/data-folder.ts';
import { findRunningServer, type ServerRecord } from '../embedded/server-record.ts';
import { endpointsIn } from '../embedded/socket-folder.ts';
import { externalEndpoints } from '../endpoints.ts';
import { feedUser } from '../feed-service.ts';
import { feedTables } from '../feed-tables.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { openFilesLimit, openFilesLimitOf } from '../process/open-files-limit.ts';
import { planPools } from '../plan-pools.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { detectMachine, systemFacts } from '../tuning/machine.ts';
import { exitCodes, type Io } from './io.ts';
import { machineFlags, type MachineFlags } from './machine-flags.ts';

/** For one query; a healthy server answers each of ours in a few ms. */
const statementTimeoutMs = 5_000;

/** A little longer, so that a running server reports the missed deadline itself. */
const answerTimeoutMs = 6_000;

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

export interface DoctorFlags extends MachineFlags {
  readonly json: boolean;
}

export function addDoctorFlags(command: Command): Command {
  const otherwise = 'what is seen of a server on this machine; elsewhere what depends on it is not judged';
  for (const option of machineFlags({ memory: otherwise, cpus: 'as of the memory', storage: 'as of the memory' }))
    command.addOption(option);
  return command.option('--json', 'print JSON, for programs', false);
}

/** `messenger doctor`: checks the databases and prints a report. Resolves with the exit code. */
export async function doctor(loaded: LoadedConfig, options: DoctorFlags, io: Io): Promise<number> {
  const { embedded, writeDb } = loaded.config;
  const running = writeDb.host === undefined ? await findRunningServer(embedded.dataDir) : undefined;
  const findings = await examineServers(loaded, running, options);
  const report = makeReport([...findings, ...(await examineHere(loaded, running))]);
  const paint = (text: string, status: Status): string =>
    io.outHasColours === true ? styleText(colours[status], text, { validateStream: false }) : text;
  io.out(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : renderReport(report, paint));
  return report.status === 'fail' ? exitCodes.failed : exitCodes.ok;
}

async function examineServers(
  loaded: LoadedConfig,
  running: ServerRecord | undefined,
  flags: MachineFlags,
): Promise<Finding[]> {
  const { connectTimeoutMs } = loaded.config.db;
  const session = { applicationName: 'messenger doctor', connectTimeoutMs, statementTimeoutMs, answerTimeoutMs };
  const servers = await findServers(loaded, running, session);
  if ('check' in servers) return [servers];
  return await examine(servers, session, await describe(loaded, servers, flags));
}

/** The external servers, or the embedded ones of the server that runs on the data folder; or why there are none. */
async function findServers(
  { config }: LoadedConfig,
  running: ServerRecord | undefined,
  session: SessionOptions,
): Promise<Examined | Finding> {
  const subject = { check: 'reachable', where: 'primary' } as const;
  try {
    const external = externalEndpoints(config);
    if (external !== undefined) return toExamined(await locate(external, session));
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return fail(subject, error.message, 'Correct DB_WRITE_TLS_CA or DB_READ_TLS_CA, or let doctor read the file.');
  }
  const { dataDir, synchronousCommit } = config.embedded;
  if (running !== undefined) return toExamined(listOf(endpointsIn(running.sockets, synchronousCommit)));
  const advice =
    'Start the server (`npm start`), and run doctor beside it as the same user; or name its folder with --data-dir, or servers of your own with DB_WRITE_HOST.';
  return fail(subject, `no server runs on ${dataDir}, and its databases run only with it`, advice);
}

/** With the current primary as `write`; as configured when no server is writable, which the report shows. */
async function locate(configured: Endpoints, session: SessionOptions): Promise<Endpoints> {
  return await locatePrimary(configured, session).catch(() => configured);
}

/** All servers except the primary are checked as standbys, including write hosts that are not read hosts. */
function toExamined({ write, reads, otherWrites = [] }: Endpoints): Examined {
  const standbys = reads.filter(
    (read) => read !== write && (placeOf(read) !== placeOf(write) || otherWrites.length === 0),
  );
  const isThere = (one: Endpoint): boolean => standbys.some((standby) => placeOf(standby) === placeOf(one));
  return { primary: write, standbys: [...standbys, ...otherWrites.filter((one) => !isThere(one))] };
}

/** Of the running server; the limit of this shell may differ. */
async function examineHere({ config, sources }: LoadedConfig, running: ServerRecord | undefined): Promise<Finding[]> {
  const { server, writeDb, readDb, embedded } = config;
  const clients = sources['server.maxConnections'] === 'default' ? undefined : server.maxConnections;
  const pools = writeDb.maxOpenConns + readDb.maxOpenConns * Math.max(1, readDb.host?.length ?? 1);
  const primaryDir = config.writeDb.host === undefined ? (await layoutOf(embedded.dataDir)).primary : undefined;
  const limit = running === undefined ? openFilesLimit() : await openFilesLimitOf(running.pid);
  return [
    ...(running === undefined ? [] : await checkDisks(embedded.dataDir)),
    await checkBackup({ ...config.backup, primaryDir }, Date.now()),
    checkExposure({ ...config, ...opennessOf(config) }),
    checkOpenFiles(limit, { pools, clients }),
  ];
}

async function checkDisks(dataDir: string): Promise<Finding[]> {
  const layout = await layoutOf(dataDir);
  return await Promise.all((['primary', 'standby'] as const).map(async (role) => checkDisk(role, layout[role])));
}

async function describe(
  loaded: LoadedConfig,
  { primary, standbys }: Examined,
  { memory, cpus, storage }: MachineFlags,
): Promise<Configured> {
  const { server, db, writeDb } = loaded.config;
  const workers = server.enablePrefork ? server.workers : 1;
  const isEmbedded = writeDb.host === undefined;
  const facts = {
    given: {
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(cpus === undefined ? {} : { cpus }),
      ...(storage === undefined ? {} : { storage }),
    },
    detected: await detectMachine(systemFacts('.')),
    isEmbedded,
    endpoints: [primary, ...standbys],
  };
  return {
    maxLagMs: db.readMaxLagMs,
    workers,
    nowMs: Date.now(),
    durability: db.durability,
    isEmbedded,
    feed: {
      realtime: server.realtime,
      userOf: (endpoint) => feedUser(endpoint, isEmbedded),
      tables: feedTables,
    },
    migrationsDir,
    expected: await listExpectedObjects(migrationsDir),
    planPools: (write, reads) => planPools(loaded, workers, { write, reads }),
    machineOf: (endpoint) => machineOf(endpoint, facts),
    limits: doctorLimits,
  };
}
