import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { after, afterEach, before } from 'node:test';

import type { Endpoint, EndpointPair } from '../db/endpoint.ts';
import { migrateUp } from '../db/migrations.ts';
import { withClient } from '../db/session.ts';
import { checkNames, type CheckName } from '../doctor/check-names.ts';
import type { Configured } from '../doctor/about.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding, Place, Status } from '../doctor/finding.ts';
import { doctorLimits, type DoctorLimits } from '../doctor/limits.ts';
import type { Report } from '../doctor/report.ts';
import type { EmbeddedPair } from '../embedded/pair.ts';
import { roles } from '../embedded/settings.ts';
import { letInEveryRole } from '../embedded/test-folder.ts';
import { eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import { createLog } from '../telemetry/log.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { exitCodes } from './io.ts';
import { runProgram } from './program.ts';

type Role = 'write' | 'read';
export type Environment = Readonly<Record<string, string>>;

const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };

/** The first column of the rows of the last statement, as superuser, with `synchronous_commit` as the server has it. */
export async function askAt({ host, port, database }: Endpoint, sql: string): Promise<unknown[]> {
  return await withClient({ host, port, database, user: roles.superuser }, session, async (client) => {
    const results = [await client.query<unknown[]>({ text: sql, rowMode: 'array' })].flat();
    return (results.at(-1)?.rows ?? []).map((row) => row[0]);
  });
}

function optionsOf(role: 'WRITE' | 'READ', { host, port, user, database }: Endpoint): Environment {
  return {
    [`DB_${role}_HOST`]: host,
    [`DB_${role}_PORT`]: String(port),
    [`DB_${role}_USER`]: user,
    [`DB_${role}_NAME`]: database,
    [`DB_${role}_MAX_OPEN_CONNS`]: '10',
    [`DB_${role}_MAX_IDLE_CONNS`]: '4',
  };
}

/** An operator's configuration for these servers, with small pools. */
export function environmentOf({ write, read }: EndpointPair): Environment {
  return {
    ...optionsOf('WRITE', write),
    ...optionsOf('READ', read),
    WORKERS: '2',
    MAX_CONNECTIONS: '500',
    REALTIME: 'off',
    DB_READ_MAX_LAG_MS: '1000',
  };
}

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `messenger doctor` on the command line. */
export async function runDoctor(env: Environment, ...flags: readonly string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const code = await runProgram(['doctor', ...flags], {
    env,
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    errIsTerminal: false,
    onSignal: () => undefined,
    exec: '',
    version: '0.0.0',
  });
  return { code, ...said };
}

/** The guide's machine, so that reports do not depend on the machine of the tests. */
export const guideMachine = ['--memory', '1GB', '--cpus', '8', '--storage', 'ssd'] as const;

/** Returns the JSON report after checking its shape and the exit code. */
export async function readReport(
  env: Environment,
  flags: readonly string[] = guideMachine,
): Promise<readonly Finding[]> {
  const { code, out, err } = await runDoctor(env, '--json', ...flags);
  assert.equal(err, '');
  return parseReport(code, out);
}

export function parseReport(code: number, out: string): readonly Finding[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The assertions check its shape.
  const { status, findings, ...rest } = JSON.parse(out) as Report;
  assert.deepEqual(rest, {});
  assert.equal(code, status === 'fail' ? exitCodes.failed : exitCodes.ok);
  for (const { check, where, status: own, found, advice, ...more } of findings) {
    assert.ok(checkNames.includes(check), check);
    assert.deepEqual([typeof where, typeof found, more], ['string', 'string', {}]);
    assert.equal(advice === undefined, own === 'ok', `advice of: ${check}`);
    assert.doesNotMatch(advice ?? '', /[{}]/u, `nothing is left to fill in: ${check}`);
  }
  return findings;
}

/** The worst finding of a check, at one place or any. */
export function worstLine(findings: readonly Finding[], check: CheckName, where?: Place): Finding {
  const lines = findings.filter((one) => one.check === check && (where === undefined || one.where === where));
  const worst = (['fail', 'warn', 'ok'] as const).flatMap((status) => lines.filter((one) => one.status === status));
  assert(worst[0], `there is a line about ${check}; there are ${findings.map((one) => one.check).join(', ')}`);
  return worst[0];
}

interface ExamineChanges {
  readonly maxLagMs?: number;
  readonly answerTimeoutMs?: number;
  /** Of the primary. */
  readonly write?: Partial<Endpoint>;
  /** Default: the standby. */
  readonly reads?: readonly Endpoint[];
}

/** A pair of servers for fault tests, with a doctor. */
export interface Patient {
  readonly pair: EmbeddedPair;
  /** Of the pair: `primary/` and `standby/` are in it. */
  readonly dataDir: string;
  readonly environment: () => Environment;
  /** The first column of the rows, in the migrated database. */
  readonly ask: (role: Role, sql: string) => Promise<unknown[]>;
  readonly run: (role: Role, sql: string) => Promise<void>;
  /** Changes a setting of the running server until the end of the test. */
  readonly set: (role: Role, name: string, value: string) => Promise<void>;
  /** Opens a session that has executed this, until the end of the test. */
  readonly hold: (role: Role, begin: string) => Promise<void>;
  /** Reverts a fault at the end of the test, also when the test failed. */
  readonly repair: (repair: () => Promise<unknown>) => void;
  readonly lineOf: (check: CheckName, where?: Place, env?: Environment) => Promise<Finding>;
  /** The report with limits that would take hours or a billion transactions to reach. */
  readonly examineWith: (limits: Partial<DoctorLimits>, changes?: ExamineChanges) => Promise<Finding[]>;
  readonly sees: (check: CheckName, status: Status, found: RegExp, where?: Place, env?: Environment) => Promise<void>;
}

/** A migrated pair for the tests of one file, so that faults do not affect others. */
export function usePatient(changes: Readonly<Record<string, string>>): () => Patient {
  let site: TestSite;
  let patient: Patient;
  const repairs: (() => Promise<unknown>)[] = [];
  before(async () => {
    site = await makeTestSite();
    const settings = { ...changes, ...(await letInEveryRole(dirname(site.options.dataDir))) };
    const pair = site.pair({ overrides: { primary: settings, standby: settings } });
    await pair.start(AbortSignal.timeout(50_000));
    const log = createLog({ level: 'silent', name: 'test', pretty: false });
    await migrateUp({ endpoint: pair.endpoints.write, dir: migrationsDir, connectTimeoutMs: 5_000, log });
    patient = makePatient(pair, site.options.dataDir, (repair) => void repairs.push(repair));
    await eventually(async () => (await patient.lineOf('lag')).status === 'ok');
  });
  afterEach(async () => {
    for (const repair of repairs.splice(0).toReversed()) await repair();
  });
  after(async () => {
    await patient.pair.stop(soon());
    await site.remove();
  });
  return () => patient;
}

function makePatient(pair: EmbeddedPair, dataDir: string, repair: Patient['repair']): Patient {
  const environment = (): Environment => environmentOf(pair.endpoints);
  const ask = async (role: Role, sql: string): Promise<unknown[]> => askAt(pair.endpoints[role], sql);
  const run = async (role: Role, sql: string): Promise<void> => void (await ask(role, sql));
  const lineOf: Patient['lineOf'] = async (check, where, env) =>
    worstLine(await readReport({ ...environment(), ...env }), check, where);
  return {
    pair,
    dataDir,
    environment,
    ask,
    run,
    repair,
    lineOf,
    examineWith: async (limits, { maxLagMs = 1_000, answerTimeoutMs = 6_000, write, reads } = {}) => {
      const { endpoints } = pair;
      const servers = { primary: { ...endpoints.write, ...write }, standbys: reads ?? [endpoints.read] };
      const about = { ...unconfigured, maxLagMs, limits: { ...doctorLimits, ...limits } };
      return await examine(servers, { ...doctorSession, answerTimeoutMs }, about);
    },
    sees: async (check, status, found, where, env) => {
      const line = await lineOf(check, where, env);
      assert.equal(line.status, status, `${check}: ${line.found}`);
      assert.match(line.found, found);
    },
    set: async (role, name, value) => {
      const reload = async (): Promise<void> => run(role, 'select pg_reload_conf()');
      repair(async () => run(role, `alter system reset ${name}`).then(reload));
      await run(role, `alter system set ${name} = '${value}'`);
      await reload();
      await eventually(async () => (await ask(role, `show ${name}`))[0] === value);
    },
    hold: async (role, begin) => holdSession(pair.endpoints[role], begin, repair),
  };
}

const doctorSession = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
const unconfigured: Omit<Configured, 'maxLagMs' | 'limits'> = {
  workers: 1,
  nowMs: 0,
  durability: 'disk',
  isEmbedded: true,
  feed: { realtime: 'off', userOf: ({ user }) => user, tables: [] },
  migrationsDir,
  expected: { tables: [], unlogged: [], indexes: new Map() },
  planPools: () => [],
  machineOf: () => ({}),
};

async function holdSession(endpoint: Endpoint, begin: string, repair: Patient['repair']): Promise<void> {
  const { promise: released, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: hasBegun, reject } = Promise.withResolvers<void>();
  const held = withClient(
    { ...endpoint, user: roles.superuser },
    { ...session, applicationName: 'held by a test' },
    async (client) => {
      await client.query(begin);
      hasBegun();
      await released;
    },
  );
  held.catch(reject);
  repair(async () => {
    resolve();
    await held.catch(() => undefined);
  });
  await begun;
}
