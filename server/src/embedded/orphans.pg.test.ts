import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { findBinaries } from './binaries.ts';
import { embeddedEndpoints } from './socket-folder.ts';
import { spawnOptions } from './spawn-options.ts';
import { openSession } from '../db/session.ts';
import { forMaintenance, maintenanceSession } from './sql.ts';
import { ask, eventually, isAlive, makeTestSite, replicates, soon, type TestSite } from './test-pair.ts';

let site: TestSite;
let primaryDir: string;

before(async () => {
  site = await makeTestSite();
  primaryDir = join(site.options.dataDir, 'primary');
  const pair = site.pair();
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (id uuid primary key default uuidv7())');
  await pair.stop(soon());
});

after(async () => site.remove());

const program = `
  const { EmbeddedPair } = await import(new URL('pair.ts', process.argv[1]));
  const { monotonicClock } = await import(new URL('../lib/clock.ts', process.argv[1]));
  const { pino } = await import('pino');
  const about = { log: pino({ level: 'silent' }), clock: monotonicClock };
  const pair = new EmbeddedPair({ ...JSON.parse(process.argv[2]), ...about });
  await pair.start(AbortSignal.timeout(20_000));
  console.log(pair.pids.primary + ' ' + pair.pids.standby);
`;

/** A server process on the site's data folder. */
async function startServer(): Promise<{ server: ChildProcess; databases: number[] }> {
  const { log: _log, clock: _clock, ...options } = site.options;
  const server = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, import.meta.url, JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname },
  );
  const said: unknown[] = await once(server.stdout, 'data');
  return { server, databases: String(said[0]).trim().split(' ').map(Number) };
}

async function haveEnded(pids: readonly number[]): Promise<boolean> {
  const alive = await Promise.all(pids.map(isAlive));
  return !alive.includes(true);
}

test('after kill -9 of the server its databases end, too', async () => {
  const { server, databases } = await startServer();
  assert.equal(databases.length, 2);
  assert.equal((await Promise.all(databases.map(isAlive))).includes(false), false);
  server.kill('SIGKILL');
  await eventually(async () => haveEnded(databases));
});

/** A postmaster without a guardian. */
async function startOrphan(): Promise<ChildProcess> {
  const { postgres } = await findBinaries(undefined);
  const orphan = spawn(postgres, ['-D', primaryDir], { ...spawnOptions, stdio: 'ignore' });
  await eventually(async () => (await readFile(join(primaryDir, 'postmaster.pid'), 'utf8')).includes('ready'));
  return orphan;
}

test('a postmaster of an earlier run is stopped gracefully, with a log line', async () => {
  const orphan = await startOrphan();
  const ended = once(orphan, 'exit');
  const pair = site.pair();
  await pair.start(soon());
  await replicates(pair, 'kept');
  await pair.stop(soon());
  assert.deepEqual(await ended, [0, null]);
  assert.ok(site.lines.some((line) => line.includes(`stopping PostgreSQL (pid ${orphan.pid})`)));
});

/** A stopped backend: like one that waits for a lock of a dead process, it never notices anything. */
async function stopBackend(): Promise<{ pid: number; close: () => Promise<void> }> {
  const session = await openSession(
    forMaintenance((await embeddedEndpoints(site.options.dataDir)).write),
    maintenanceSession,
  );
  const { rows } = await session.client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? assert.fail('no backend');
  process.kill(pid, 'SIGSTOP');
  return { pid, close: async () => session.close() };
}

async function end(postmaster: ChildProcess): Promise<void> {
  postmaster.kill('SIGKILL');
  await once(postmaster, 'exit');
}

test('a start kills the last backend of a killed postmaster instead of sharing the data with it', async () => {
  const orphan = await startOrphan();
  const straggler = await stopBackend();
  await end(orphan);

  const pair = site.pair();
  await pair.start(soon());
  assert.equal(await isAlive(straggler.pid), false);
  assert.ok(site.lines.some((line) => line.includes('pre-existing shared memory block')));
  assert.ok(site.lines.some((line) => line.includes(`(pid ${straggler.pid}) that has outlived its postmaster`)));
  await replicates(pair, 'kept');
  await straggler.close();
  await pair.stop(soon());
});

test('a pair recovers when its primary is killed without one of its backends', async () => {
  const pair = site.pair();
  await pair.start(soon());
  const straggler = await stopBackend();
  const killed = pair.pids.primary;
  assert.ok(killed !== undefined);
  process.kill(killed, 'SIGKILL');
  await eventually(async () => pair.pids.primary !== undefined && pair.pids.primary !== killed);
  assert.equal(await isAlive(straggler.pid), false);
  await replicates(pair, 'kept');
  await straggler.close();
  await pair.stop(soon());
});

/** Leaves the files of a killed postmaster, with the pid of an unrelated process. */
async function leavePidOf(pid: number, template: string): Promise<void> {
  const path = join(primaryDir, 'postmaster.pid');
  await writeFile(path, [pid, ...template.split('\n').slice(1)].join('\n'), { mode: 0o600 });
}

test('a process that reuses the pid of a dead postmaster is not touched, even if it is a PostgreSQL', async () => {
  const orphan = await startOrphan();
  const template = await readFile(join(primaryDir, 'postmaster.pid'), 'utf8');
  orphan.kill('SIGINT');
  await once(orphan, 'exit');

  const stranger = spawn('/bin/sleep', ['60'], { ...spawnOptions, argv0: 'postgres', stdio: 'ignore' });
  assert.ok(stranger.pid !== undefined);
  await leavePidOf(stranger.pid, template);
  const pair = site.pair();
  await pair.start(soon());
  await pair.stop(soon());
  assert.equal(stranger.exitCode ?? stranger.signalCode, null);
  stranger.kill('SIGKILL');
});
