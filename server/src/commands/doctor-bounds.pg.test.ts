import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parseReport, readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

const patient = usePatient({});
const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** A listener on the loopback in place of the write server; like a frozen server, it never closes connections. */
async function listen(onSocket: (socket: Socket) => void): Promise<Environment> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  patient().repair(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return { DB_WRITE_HOST: '127.0.0.1', DB_WRITE_PORT: String(address.port) };
}

test('a server that accepts connections and never answers costs one deadline, and the standby is checked', async () => {
  const env = await listen(() => undefined);
  const findings = await readReport({ ...patient().environment(), ...env, DB_CONNECT_TIMEOUT_MS: '200' });
  const line = worstLine(findings, 'answers', 'primary');
  assert.match(line.found, /timeout/u);
  assert.match(line.advice ?? '', /does not answer/u);
  assert.equal(worstLine(findings, 'answers', 'standby').status, 'ok');
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

test('a frozen server costs one deadline, and the standby is checked', async () => {
  const { pair, environment, repair } = patient();
  const { primary } = pair.pids;
  assert(primary !== undefined);
  repair(async () => process.kill(primary, 'SIGCONT'));
  process.kill(primary, 'SIGSTOP');
  const findings = await readReport({ ...environment(), DB_CONNECT_TIMEOUT_MS: '200' });
  assert.match(worstLine(findings, 'answers', 'primary').found, /timeout/u);
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

/** The primary behind a proxy that drops data for which `isKept` returns true. */
async function listenBetween(isKept: (bytes: Buffer) => boolean): Promise<Environment> {
  const { host, port } = patient().pair.endpoints.write;
  return await listen((socket) => {
    const upstream = connect(`${host}/.s.PGSQL.${port}`);
    upstream.on('error', () => undefined);
    upstream.pipe(socket);
    socket.on('close', () => upstream.destroy());
    socket.on('data', (bytes: Buffer) => {
      if (!isKept(bytes)) upstream.write(bytes);
    });
  });
}

test('a server that never closes its session does not block the report', async () => {
  let kept = 0;
  const env = await listenBetween((bytes) => {
    const isGoodBye = bytes[0] === 'X'.charCodeAt(0);
    if (isGoodBye) kept += 1;
    return isGoodBye;
  });
  const findings = await readReport({ ...patient().environment(), ...env });
  assert.equal(worstLine(findings, 'answers').status, 'ok');
  assert.equal(kept, 2, 'of the session that asked who is the primary, and of the one that looked at it');
});

test('a server that freezes during the checks is reported once, with the missing checks', async () => {
  const env = await listenBetween((bytes) => bytes.includes('pg_stat_activity'));
  const findings = await readReport({ ...patient().environment(), ...env });
  const ofPrimary = findings.filter(({ where, status }) => where === 'primary' && status === 'fail');
  assert.deepEqual(
    ofPrimary.map(({ check }) => check),
    ['connections by state'],
  );
  assert.match(ofPrimary[0]?.found ?? '', /^cannot be checked: Query read timeout/u);
  assert.match(ofPrimary[0]?.advice ?? '', /stopped answering, and its other checks are missing/u);
  assert.ok(findings.some(({ check, where }) => check === 'cache hit ratio' && where === 'standby'));
});

test('a low limit of open files is a failure on the command line, with only the report on stdout', async () => {
  const env = { PATH: process.env['PATH'] ?? '', ...patient().environment() };
  const command = `ulimit -n 512 && exec "${process.execPath}" "${main}" doctor --json`;
  const { promise, resolve } = Promise.withResolvers<{ code: number; out: string }>();
  execFile('sh', ['-c', command], { env }, (error, out) => resolve({ code: Number(error?.code ?? 0), out }));
  const { code, out } = await promise;
  const line = worstLine(parseReport(code, out), 'open files');
  assert.equal(line.status, 'fail');
  assert.match(line.found, /^the system allows 512 for each process/u);
});
