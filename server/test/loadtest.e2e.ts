import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { compileCache } from '../src/embedded/test-data.ts';
import { processesOf, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const tool = fileURLToPath(new URL('../../loadtest/src/main.ts', import.meta.url));

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const execute = promisify(execFile);

interface ChatReport {
  readonly errors: readonly unknown[];
  readonly chat: {
    readonly messages: number;
    readonly violations: readonly unknown[];
    readonly socketEnds: readonly { readonly code: number }[];
  };
}

async function countSockets({ url }: Run): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^messenger_sockets\{state="open"\} (?<count>\d+)$/mu.exec(metrics)?.groups?.['count'] ?? 0);
}

test('a chat of 60 people breaks no promise, also while all workers are replaced', async () => {
  const [folder, data] = [await servers.folder(), await servers.data()];
  const server = await servers.start(data, { args: ['--workers', '2', '--realtime', 'on'] });
  const { stdout: database } = await execute(process.execPath, [main, 'db', 'url', '--data-dir', data], {
    env: { PATH: process.env['PATH'] },
  });
  const chat = async (...args: readonly string[]): Promise<ChatReport> => {
    const people = ['--people-file', join(folder, 'people.json'), '--base-url', server.url, '--report-dir', folder];
    const options = [tool, '--type', 'chat', '--users', '60', '--duration', '5', ...people, ...args];
    const { stdout, stderr } = await execute(process.execPath, options).catch((error: unknown) => {
      // The machine may be too slow for the verdict.
      assert(typeof error === 'object' && error !== null && 'code' in error && error.code === 1, String(error));
      return { stdout: '', stderr: '' };
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by the tool under test.
    const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as ChatReport;
    assert.deepEqual([report.chat.violations, report.errors], [[], []], stdout + stderr);
    assert(report.chat.messages > 0);
    return report;
  };
  await chat('--database', database.trim());
  const before = workersOf(server.pid);
  const [{ chat: facts }] = await Promise.all([
    chat(),
    waitFor('people', async () => (await countSockets(server)) > 50).then(() => server.kill('SIGHUP')),
  ]);
  await waitFor('new workers', () => workersOf(server.pid).every((worker) => !before.includes(worker)));
  assert(
    facts.socketEnds.every(({ code }) => code === 4000),
    JSON.stringify(facts.socketEnds),
  );
  assert(facts.socketEnds.length > 0, 'sockets were moved');
});

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
