/**
 * Started as root: which user runs what, and what other users of the machine can do. `games` is the attacker, `daemon`
 * serves.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  lchown,
  link,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';

import type { QueryResultRow } from 'pg';

import type { Endpoint } from '../src/db/endpoint.ts';
import { withClient } from '../src/db/session.ts';
import { roles } from '../src/embedded/settings.ts';
import { embeddedEndpoints } from '../src/embedded/socket-folder.ts';
import { findUser } from '../src/process/os-user.ts';
import { createUser, isAlive, run, useServers, type Run } from './start-server.ts';

const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
const asDaemon = { MESSENGER_USER: 'daemon', LOG_FORMAT: 'json' };

async function query<Row extends QueryResultRow>(endpoint: Endpoint, sql: string): Promise<Row[]> {
  return await withClient(endpoint, session, async (client) => (await client.query<Row>(sql)).rows);
}

/** The user ids of a process (real, effective, saved, of file access); undefined once it has ended. */
async function uidsOf(pid: number): Promise<number[] | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  const line = /^Uid:\s+(?<ids>.*)$/mu.exec(status ?? '')?.groups?.['ids'];
  return line === undefined ? undefined : [...new Set(line.split('\t').map(Number))];
}

/** All descendants of this process. */
function descendantsOf(pid: number): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = Array.from(table.matchAll(/(\d+) +(\d+)/gu), ([, child, parent]) => [Number(child), Number(parent)]);
  const below = (one: number): number[] =>
    pairs.filter(([, parent]) => parent === one).flatMap(([child = 0]) => [child, ...below(child)]);
  return below(pid);
}

/** The output of a shell command run by another user. */
async function as(name: string, command: string): Promise<string> {
  const user = await findUser(name);
  assert(user !== undefined, name);
  const { uid, gid } = user;
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8', uid, gid, cwd: '/' });
  return stdout + stderr;
}

/** A connection attempt by another user of the machine. */
async function connectAs(user: string, socketFolder: string, role: string): Promise<string> {
  const program = `
    const { Client } = (await import('${import.meta.resolve('pg')}')).default;
    const client = new Client({ host: '${socketFolder}', port: 5432, user: '${role}', database: 'messenger' });
    await client.connect().then(() => console.log('connected'), (error) => console.log(error.message));
    await client.end();`;
  return await as(user, `${process.execPath} --input-type=module -e "${program.replaceAll(/\s+/gu, ' ')}"`);
}

async function stop(server: Run): Promise<void> {
  server.kill('SIGTERM');
  assert.equal(await server.ended(), 0, server.stderr);
}

suite('started as root', { skip: process.getuid?.() !== 0 && 'only root can become another user' }, () => {
  const servers = useServers();
  let parent = '';
  let dataDir = '';
  let server: Run;
  const daemon = 1;
  const compiled = (): string => join(parent, 'compiled');

  before(async () => {
    parent = await servers.folder();
    // As made by `mktemp -d`: existing, empty, and only root's.
    dataDir = await mkdtemp(join(parent, 'data-'));
    await writeFile(join(parent, 'token'), 'a-secret-of-root', { mode: 0o600 });
    const env = { ...asDaemon, METRICS_TOKEN_FILE: join(parent, 'token'), NODE_COMPILE_CACHE: compiled() };
    server = await servers.start(dataDir, { env });
  });

  test('supervisor, workers, databases and all they start run as MESSENGER_USER, with no way back', async () => {
    assert.equal((await createUser(server)).status, 201);
    const all = [server.pid, ...descendantsOf(server.pid)];
    assert.ok(all.length >= 6, 'supervisor, worker, 2 servers with their processes, 2 guardians');
    // A backend may have ended since the list was made.
    for (const pid of all) assert.deepEqual((await uidsOf(pid)) ?? [daemon], [daemon]);
    assert.deepEqual(await uidsOf(server.pid), [daemon]);
    const groups = /^Groups:\s*(?<ids>.*)$/mu.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'));
    assert.equal(groups?.groups?.['ids']?.trim(), '1');
  });

  test('the data folder is private to that user, and its parent is unchanged', async () => {
    const { uid, mode } = await stat(dataDir);
    assert.deepEqual([uid, mode & 0o777], [daemon, 0o700]);
    const above = await stat(parent);
    assert.deepEqual([above.uid, above.mode & 0o777], [0, 0o755]);
    for (const name of ['messenger.lock', 'server.json'])
      assert.equal((await stat(join(dataDir, name))).mode & 0o777, 0o600, name);
  });

  test('another user can access neither the folder, nor the databases, nor the secrets', async () => {
    assert.match(await as('games', `cat ${dataDir}/messenger.lock`), /Permission denied/u);
    assert.match(await as('games', `cat ${parent}/token`), /Permission denied/u);
    for (const pid of [server.pid, ...descendantsOf(server.pid)]) {
      const said = await as('games', `cat /proc/${pid}/environ`);
      if (isAlive(pid)) assert.match(said, /Permission denied/u);
    }
    assert.match(await connectAs('games', join(dataDir, 'run'), roles.superuser), /EACCES/u);
  });

  test('even with open folders, the databases refuse every other user, whatever role it requests', async () => {
    const { host } = (await embeddedEndpoints(dataDir)).write;
    const opened = [dataDir, host, join(host, '.s.PGSQL.5432')];
    try {
      for (const path of opened) await chmod(path, 0o777);
      for (const role of [...Object.values(roles), 'games'])
        assert.match(await connectAs('games', host, role), /Peer authentication failed/u);
      assert.match(await connectAs('daemon', host, roles.application), /connected/u);
    } finally {
      for (const path of opened) await chmod(path, 0o700);
    }
  });

  test("the application's role is no superuser, owns only its schema and publication, and cannot access files or programs", async () => {
    const { write } = await embeddedEndpoints(dataDir);
    const [may] = await query(
      write,
      `select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
         has_database_privilege(current_database(), 'create') as "createsSchemas"
       from pg_roles where rolname = current_user`,
    );
    assert.deepEqual(
      Object.values(may ?? {}),
      Array.from({ length: 6 }, () => false),
    );
    const owned = await query<{ name: string }>(
      { ...write, user: roles.superuser },
      `select pg_describe_object(classid, objid, objsubid) as name from pg_shdepend
       where deptype = 'o' and refobjid = '${roles.application}'::regrole order by 1`,
    );
    const names = owned.map(({ name }) => name);
    assert.ok(names.includes('schema public') && names.includes('table users'));
    assert.deepEqual(
      names.filter((name) => !/^(?:schema public|(?:table|sequence|function|view|type) [^.]+)$/u.test(name)),
      ['publication messenger'],
    );
    for (const sql of ["copy (select 1) to program 'id'", "copy users from '/etc/passwd'", 'alter system reset all'])
      await assert.rejects(query(write, sql), { code: '42501' });
    const standby = await query({ ...write, user: roles.superuser }, 'select usename from pg_stat_replication');
    assert.deepEqual(standby, [{ usename: roles.replication }]);
  });

  test('a secret in a file of root is read before root privileges are dropped', async () => {
    const headers = { authorization: 'Bearer a-secret-of-root' };
    assert.equal((await fetch(`${server.url}/metrics`, { headers })).status, 200);
    assert.equal((await fetch(`${server.url}/metrics`)).status, 404);
  });

  test('commands run by root use the data folder as its owner', async () => {
    const report = await run({ args: ['doctor', '--json', '--data-dir', dataDir] });
    await report.ended();
    assert.match(report.stdout, /"check": "reachable",\s+"where": "standby",\s+"status": "ok"/u);
    const url = await run({ args: ['db', 'url', '--data-dir', dataDir] });
    assert.equal(await url.ended(), 0);
    assert.match(url.stdout, /^postgresql:\/\/messenger_app@/u);
  });

  test('without MESSENGER_USER the server runs as the owner of the data folder, and refuses another user', async () => {
    await stop(server);
    const refused = await servers.startRefused(dataDir, { env: { MESSENGER_USER: 'games' } });
    assert.match(refused.stderr, /data folder .* cannot be written by "games"|"games".*cannot enter/u);
    const again = await servers.start(dataDir, { env: { LOG_FORMAT: 'json' } });
    assert.deepEqual(await uidsOf(again.pid), [daemon]);
    assert.equal((await createUser(again)).status, 201);
    await stop(again);
  });

  test('compiled code is kept for the next start, that of the workers in a folder of their user', async () => {
    const folders = (await readdir(compiled())).toSorted();
    assert.deepEqual(
      folders.map((name) => name.split('-').at(-1)),
      ['0', String(daemon)],
    );
    for (const [index, name] of folders.entries()) {
      assert.equal((await stat(join(compiled(), name))).uid, index === 0 ? 0 : daemon);
      assert.ok((await readdir(join(compiled(), name))).length > 100, name);
    }
  });

  test('root follows no link in the data folder, and gives away no file of its own', async () => {
    const victim = await mkdtemp(join(tmpdir(), 'messenger-victim-'));
    after(async () => rm(victim, { recursive: true }));
    await writeFile(join(victim, 'secret'), 'of root', { mode: 0o600 });
    execFileSync('chown', ['-R', 'nobody:', dataDir]);
    await chown(dataDir, 0, 0);
    const [softLink, hardLink] = ['primary/base/link', 'primary/base/secret'].map((path) => join(dataDir, path));
    assert.ok(softLink !== undefined && hardLink !== undefined);
    await symlink(victim, softLink);
    await lchown(softLink, 65_534, 65_534);
    await link(join(victim, 'secret'), hardLink);
    const refused = await servers.startRefused(dataDir, { env: asDaemon });
    assert.match(refused.stderr, /primary\/base\/secret is a hard link/u);
    await rm(hardLink);
    await stop(await servers.start(dataDir, { env: asDaemon }));
    assert.equal((await lstat(softLink)).uid, daemon);
    await rm(softLink);
    for (const path of [victim, join(victim, 'secret')]) assert.equal((await stat(path)).uid, 0, path);
  });

  test('root does nothing in a folder of another user: the server runs as its owner, or the data folder must exist', async () => {
    const folder = await servers.folder();
    const games = await findUser('games');
    assert(games !== undefined);
    await chown(folder, games.uid, games.gid);
    const refused = await servers.startRefused(join(folder, 'data'), { env: asDaemon });
    assert.match(refused.stderr, /cannot be created by "daemon" \(EACCES\).*`install -d -m 700 -o daemon /u);
    assert.deepEqual(await readdir(folder), []);
    const started = await servers.start(join(folder, 'data'), { env: { LOG_FORMAT: 'json' } });
    assert.deepEqual(await uidsOf(started.pid), [games.uid]);
    await stop(started);
  });

  test('a folder of root with other content stays unchanged', async () => {
    const folder = await servers.folder();
    await writeFile(join(folder, 'thesis.odt'), '');
    const refused = await servers.startRefused(folder, { env: asDaemon });
    assert.match(refused.stderr, /contains "thesis.odt" and was not created by Messenger/u);
    const { uid, mode } = await stat(folder);
    assert.deepEqual([uid, mode & 0o777], [0, 0o755]);
  });

  test('a port below 1024 that needs root is refused with the remedies', async () => {
    const refused = await servers.startRefused(dataDir, { env: asDaemon, args: ['--port', '80'] });
    assert.match(refused.stderr, /Port 80 needs rights that this user does not have.*ip_unprivileged_port_start/u);
  });

  test('an unreadable checkout is refused, with the obstructing folder and the remedies', async () => {
    const folder = await servers.folder();
    const checkout = join(folder, 'checkout');
    await cp(join(import.meta.dirname, '../src'), join(checkout, 'server/src'), { recursive: true });
    await cp(join(import.meta.dirname, '../package.json'), join(checkout, 'server/package.json'));
    await symlink(join(import.meta.dirname, '../../node_modules'), join(checkout, 'node_modules'));
    await chmod(checkout, 0o700);
    const args = [join(checkout, 'server/src/main.ts'), 'start', '--port', '0', '--data-dir', join(folder, 'data')];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: asDaemon });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /runs as "daemon", and that user cannot enter .*\/checkout \(mode 0700\) on the way to /u);
  });

  test('an unknown user, or root, is refused with the command that creates a user', async () => {
    for (const name of ['no-such-user', 'root']) {
      const refused = await servers.startRefused(dataDir, { env: { MESSENGER_USER: name } });
      assert.match(refused.stderr, new RegExp(`MESSENGER_USER.*${name}.*useradd --system`, 'u'));
    }
  });
});
