import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { compileCache } from '../src/embedded/test-data.ts';
import { processesOf, useServers } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const tool = fileURLToPath(new URL('../../loadtest/src/main.ts', import.meta.url));

test('a killed load test leaves neither the server that it started nor its data', async () => {
  const folder = await servers.folder();
  const args = [tool, '--start', '--type', 'smoke', '--duration', '50', '--report-dir', join(folder, 'reports')];
  const env = { PATH: process.env['PATH'], TMPDIR: folder, ...compileCache() };
  const run = spawn(process.execPath, args, { env, stdio: 'ignore' });
  await waitFor('its databases', () => processesOf(join(folder, 'messenger-loadtest-')).length > 4);
  run.kill('SIGKILL');
  await waitFor('the processes to end', () => processesOf(join(folder, 'messenger-loadtest-')).length === 0);
  await waitFor('the data to go', async () => !(await readdir(folder)).some((name) => name.startsWith('messenger-')));
  assert.equal(run.signalCode, 'SIGKILL');
});
