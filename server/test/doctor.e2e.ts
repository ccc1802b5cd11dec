import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { parseReport, worstLine } from '../src/commands/test-doctor.ts';
import { main, run, useServers } from './start-server.ts';

const servers = useServers();
let dataDir = '';

before(async () => {
  dataDir = await servers.data();
  await servers.start(dataDir);
});

test('on a default set-up every line of doctor is ok, and the exit code is 0', async () => {
  const doctor = await run({ args: ['doctor', '--json', '--data-dir', dataDir] });
  const code = await doctor.ended();
  assert.equal(code, 0, doctor.stdout);
  const findings = parseReport(code, doctor.stdout);
  assert.deepEqual(
    findings.filter(({ status }) => status !== 'ok').map(({ check, found }) => `${check}: ${found}`),
    [],
  );
  assert.ok(findings.some(({ check, where, found }) => check === 'replication' && where === 'standby' && found !== ''));
});

test('doctor reports the limit of open files of the running server, not of the shell', async () => {
  const command = `ulimit -n 512 && exec "${process.execPath}" "${main}" doctor --json --data-dir "${dataDir}"`;
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile('sh', ['-c', command], { env: process.env }, (_error, out) => resolve(out));
  const out = await promise;
  const { found } = worstLine(parseReport(out.includes('"fail"') ? 1 : 0, out), 'open files');
  assert.doesNotMatch(found, /allows 512 /u);
});

test('doctor without a running server reports the remedy, with exit code 1', async () => {
  const nothing = join(await servers.folder(), 'data');
  const doctor = await run({ args: ['doctor', '--data-dir', nothing] });
  assert.equal(await doctor.ended(), 1);
  assert.match(doctor.stdout, /no server runs on/u);
  assert.match(doctor.stdout, /→ Start the server/u);
});
