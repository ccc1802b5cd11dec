import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { parseReport, worstLine } from '../src/commands/test-doctor.ts';
import { run, useServers } from './start-server.ts';

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
  const doctor = await run({ args: ['doctor', '--json', '--data-dir', dataDir], openFiles: 512 });
  const { found } = worstLine(parseReport(Number(await doctor.ended()), doctor.stdout), 'open files');
  assert.doesNotMatch(found, /allows 512 /u);
});
