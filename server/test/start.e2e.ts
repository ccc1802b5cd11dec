import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { User } from '@messenger/protocol/users';
import pg from 'pg';
import { Value } from 'typebox/value';

import { parseReport, worstLine } from '../src/commands/test-doctor.ts';
import { createUser, run, useServers, type Run } from './start-server.ts';

const servers = useServers();
const json = { 'content-type': 'application/json' };

async function create(server: Run, first: string): Promise<User> {
  const answer = await createUser(server, first);
  assert.equal(answer.status, 201);
  return Value.Parse(User, await answer.json());
}

async function stop(server: Run): Promise<number | string> {
  server.kill('SIGTERM');
  return await server.ended();
}

const isRoot = process.getuid?.() === 0;
/** root.e2e.ts starts servers as root. */
const asOrdinaryUser = isRoot ? { uid: Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' })) } : {};

test('a new data folder becomes a server that creates, lists, reads, updates and deletes; its data outlives it', async () => {
  const folder = await servers.folder();
  if (isRoot) execFileSync('chown', ['nobody', folder]);
  const dataDir = join(folder, 'data');
  const first = await servers.start(dataDir, { args: ['--workers', '2'], ...asOrdinaryUser });
  for (const told of [
    /^ +status +http:\S+\/ops shows load/mu,
    /^ +data +\//mu,
    /POST, GET \/api\/v1\/users/u,
    /Ctrl-C/u,
    /allows [\d,]+ open files/u,
  ]) {
    assert.match(first.stdout, told);
  }
  const user = await create(first, 'Ada');
  const place = `${first.url}/api/v1/users/${user.id}`;
  assert.deepEqual(await (await fetch(place)).json(), user);
  const body = JSON.stringify({ first_name: 'Grace', last_name: 'Hopper' });
  const renamed = await fetch(place, { method: 'PUT', headers: json, body });
  assert.partialDeepStrictEqual(await renamed.json(), { id: user.id, first_name: 'Grace' });
  const doomed = await create(first, 'Doomed');
  assert.equal((await fetch(`${first.url}/api/v1/users/${doomed.id}`, { method: 'DELETE' })).status, 204);
  assert.match(await (await fetch(first.url)).text(), /Messenger/u);
  assert.equal(await stop(first), 0);

  const second = await servers.start(dataDir, asOrdinaryUser);
  const listed: unknown = await (await fetch(`${second.url}/api/v1/users`)).json();
  assert(Array.isArray(listed));
  assert.equal(listed.length, 1);
  assert.partialDeepStrictEqual(listed, [{ id: user.id, first_name: 'Grace', last_name: 'Hopper' }]);
  assert.equal(await stop(second), 0);
});

/** Of the two tests that follow. */
let runningDir = '';
let running: Run;

test('while a server runs, doctor reports no problem, and other terminals get the schema and the addresses', async () => {
  runningDir = await servers.data();
  running = await servers.start(runningDir);
  const doctor = await run({ args: ['doctor', '--json', '--data-dir', runningDir], openFiles: 512 });
  const findings = parseReport(Number(await doctor.ended()), doctor.stdout);
  assert.deepEqual(
    findings.filter(({ status }) => status !== 'ok').map(({ check, found }) => `${check}: ${found}`),
    [],
  );
  assert.ok(findings.some(({ check, where, found }) => check === 'replication' && where === 'standby' && found !== ''));
  assert.doesNotMatch(worstLine(findings, 'open files').found, /allows 512 /u, "the server's limit, not the shell's");

  const status = await run({ args: ['migrate', 'status', '--data-dir', runningDir] });
  assert.equal(await status.ended(), 0, status.stderr);
  assert.match(status.stdout, /^applied +0001_users$/mu);
  for (const [role, standby] of [
    [[], false],
    [['--read'], true],
  ] as const) {
    const url = await run({ args: ['db', 'url', ...role, '--data-dir', runningDir] });
    assert.equal(await url.ended(), 0);
    assert.deepEqual(await query(url.stdout.trim(), 'select pg_is_in_recovery() as standby'), [{ standby }]);
    if (!standby) await query(url.stdout.trim(), "insert into migrations (name, run_on) values ('9999_future', now())");
  }
});

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<object>(sql);
  await client.end();
  return rows;
}

test('a second server on the same data folder is refused with the holder, and a newer schema with its migrations', async () => {
  const second = await servers.startRefused(runningDir);
  assert.equal(await second.ended(), 1);
  assert.match(second.stderr, new RegExp(`in use by the server with pid ${running.pid} \\(${running.url}\\)`, 'u'));
  await create(running, 'Ada');
  assert.equal(await stop(running), 0);

  // Both start the databases, and read the schema.
  const offline = await run({ args: ['migrate', 'status', '--data-dir', runningDir] });
  assert.equal(await offline.ended(), 1);
  for (const refused of [offline, await servers.startRefused(runningDir)]) {
    assert.equal(await refused.ended(), 1);
    assert.match(refused.stderr, /migrations that this version does not know: 9999_future/u);
  }
});

test('a port in use is reported in one line, and nothing is left running', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => {
    taken.listen(0, '127.0.0.1', resolve);
  });
  const address = taken.address();
  assert(typeof address === 'object' && address !== null);
  const dataDir = await servers.data();
  const server = await servers.startRefused(dataDir, { args: ['--port', String(address.port)] });
  assert.equal(await server.ended(), 1);
  assert.match(
    server.stderr,
    /^Port \d+ on 127\.0\.0\.1 is taken by another program; choose another one with --port\n$/mu,
  );
  taken.close();
});

test('all problems of a configuration are reported, with exit code 78', async () => {
  const folder = await servers.folder();
  const file = join(folder, 'messenger.yaml');
  await writeFile(file, 'server:\n  prot: 1\n');
  const env = { WORKERS: 'none', DB_READ_HOST: 'replica', DB_WRITE_HOTS: 'x' };
  const server = await run({ args: ['start', '--config', file, '--port', 'http'], env });
  assert.equal(await server.ended(), 78);
  for (const told of [
    /server\.prot: unknown key/u,
    /--port: must be/u,
    /WORKERS: must be/u,
    /DB_READ_HOST: /u,
    /DB_WRITE_HOTS: /u,
  ]) {
    assert.match(server.stderr, told);
  }
  assert.doesNotMatch(server.stderr, /\n +at /u);
});

test('without prefork it serves from the main process, prints every address, and needs sessions off loopback', async () => {
  const dataDir = await servers.data();
  const server = await servers.start(dataDir, { args: ['--enable-prefork', 'false', '--host', '0.0.0.0'] });
  assert.match(server.stdout, /prefork is off/u);
  assert.match(
    server.stdout,
    /users needs a session \(USERS_API=members, because HOST=0\.0\.0\.0 is not a loopback address\)/u,
  );
  assert.match(server.stdout, /administrators create accounts \(REGISTRATION=closed\)/u);
  const served = Object.values(networkInterfaces()).flatMap(
    (all) => all?.filter(({ family }) => family === 'IPv4') ?? [],
  );
  const { port } = new URL(server.url);
  for (const { address } of served) {
    assert.ok(server.stdout.includes(` http://${address}:${port}\n`), server.stdout);
    assert.equal((await fetch(`http://${address}:${port}/livez`)).status, 200);
    assert.equal((await fetch(`http://${address}:${port}/api/v1/users`)).status, 401);
  }
  assert.equal(await stop(server), 0);
});
