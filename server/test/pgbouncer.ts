import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { Endpoint, EndpointPair } from '../src/db/endpoint.ts';
import { withClient } from '../src/db/session.ts';
import { makeTestFolder } from '../src/embedded/test-folder.ts';
import type { Role } from '../src/db/pool.ts';
import { serversVariable } from './database.ts';
import { waitFor } from './wait-for.ts';
import { findPort } from '../src/process/port.ts';

const deployed = join(import.meta.dirname, '../../deploy/pgbouncer');

/** The first with prepared statements. 1.18 crashes when a statement is cancelled: pgbouncer/pgbouncer#801. */
const oldest = '1.21.0';

/** Needs quoting in PgBouncer's list of users. */
const password = 'say "please"';

/** Why tests that need it cannot run, or undefined. */
export function missingPgBouncer(): string | undefined {
  const program = findPgBouncer();
  const advice = `these tests need PgBouncer ${oldest} or newer: scripts/install-pgbouncer.sh, as root`;
  if (program === undefined) return advice;
  const version = versionOf(program);
  return version.localeCompare(oldest, 'en', { numeric: true }) < 0 ? `${version} is installed; ${advice}` : undefined;
}

/** The address of a pooler, for every database of the server behind it. */
type Place = Required<Pick<Endpoint, 'host' | 'port' | 'password'>>;

export interface Poolers {
  readonly places: Readonly<Record<Role, Place>>;
  stop(): Promise<void>;
}

export interface PoolerOptions {
  /** Whether it supports prepared statements, like the deployed one. */
  readonly names: boolean;
  /** When a server connection returns to the pool. Default: as deployed, after a transaction. */
  readonly mode?: 'transaction' | 'statement';
}

/** Two PgBouncers with the deployed settings, one before each server of this run. */
export async function startPgBouncers(options: PoolerOptions): Promise<Poolers> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by global-setup.ts.
  const servers = JSON.parse(process.env[serversVariable] ?? '') as EndpointPair;
  const [write, read] = await Promise.all([
    start('write', servers.write, options),
    start('read', servers.read, options),
  ]);
  return {
    places: { write: write.place, read: read.place },
    stop: async () => void (await Promise.all([write.stop(), read.stop()])),
  };
}

async function start(
  role: Role,
  server: Endpoint,
  options: PoolerOptions,
): Promise<{ place: Place; stop: () => Promise<void> }> {
  const folder = await makeTestFolder();
  const place = { host: '127.0.0.1', port: await findPort('127.0.0.1', 0), password };
  await writeFile(join(folder, 'pgbouncer.ini'), placeSettings(folder, role, server, place.port, options));
  await writeFile(join(folder, 'secret'), `${password}\n`);
  await mkdir(join(folder, 'run'), { mode: 0o700 });
  const child = spawn(join(deployed, 'start.sh'), [join(folder, 'pgbouncer.ini')], {
    env: {
      PATH: programPath(),
      DB_USER: server.user,
      PASSWORD_FILE: join(folder, 'secret'),
      USER_LIST: join(folder, 'run/userlist.txt'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGQUIT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  // Not the template database: it must have no connections while it is copied.
  const session = { applicationName: 'test', connectTimeoutMs: 1_000, statementTimeoutMs: 1_000 };
  await waitFor('PgBouncer to serve', async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${said}`);
    return withClient({ ...server, ...place, database: 'postgres' }, session, async () => true).catch(() => false);
  });
  return { place, stop };
}

/** The deployed file with other addresses: its own, the server's, and its list of users. */
function placeSettings(
  folder: string,
  role: Role,
  server: Endpoint,
  port: number,
  { names, mode = 'transaction' }: PoolerOptions,
): string {
  const ini = readFileSync(join(deployed, 'pgbouncer.ini'), 'utf8');
  const entry = role === 'write' ? 'messenger' : 'messenger_read';
  const query = new RegExp(`^${entry} = .*(?<query>connect_query=.*)$`, 'mu').exec(ini)?.groups?.['query'];
  if (query === undefined) throw new Error(`pgbouncer.ini has no connect_query for ${entry}`);
  const placed = ini
    .replace(/(?<=\[databases\]\n)[^[]*/u, `* = host=${server.host} port=${server.port} ${query}\n\n`)
    .replace(/^listen_addr = .*$/mu, 'listen_addr = 127.0.0.1')
    .replace(/^listen_port = .*$/mu, `listen_port = ${port}`)
    .replace(/^auth_file = .*$/mu, `auth_file = ${join(folder, 'run/userlist.txt')}`)
    .replace(/^pool_mode = .*$/mu, `pool_mode = ${mode}`);
  return names ? placed : placed.replace(/^max_prepared_statements = .*$/mu, 'max_prepared_statements = 0');
}

/** Debian installs it among administrators' programs; our script's installation comes first. */
const programPath = (): string => ['/usr/local/sbin', process.env['PATH'] ?? '', '/usr/sbin'].join(delimiter);

function findPgBouncer(): string | undefined {
  return programPath()
    .split(delimiter)
    .map((folder) => join(folder, 'pgbouncer'))
    .find((file) => existsSync(file));
}

function versionOf(program: string): string {
  return /PgBouncer ([\d.]+)/u.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? '0';
}
