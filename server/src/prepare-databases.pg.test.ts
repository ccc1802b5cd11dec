import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../test/database.ts';
import { waitFor } from '../test/wait-for.ts';
import { loadConfig } from './load-config.ts';
import { prepareStart, type PrepareOptions } from './prepare-databases.ts';
import { createLog } from './telemetry/log.ts';

const database = useDatabase();
const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
const options: PrepareOptions = {
  loaded: loadConfig({ flags: {}, env: {}, file: undefined }),
  workers: 1,
  isEmbedded: false,
  random: () => 0,
  log,
};
const never = new AbortController().signal;
const away = { host: '/nonexistent' };

test('without the primary a start continues with the standbys that answer, and admits no writes', async () => {
  const { write, read } = database().endpoints;
  const configured = { write: { ...write, ...away }, reads: [{ ...read, ...away }, read] };
  const found = await prepareStart(configured, options, never);
  assert.deepEqual([found.isPrimaryReady, found.endpoints.reads], [false, [read]]);
  const whole = await prepareStart({ write, reads: [read] }, options, never);
  assert.deepEqual([whole.isPrimaryReady, whole.systemIdentifier], [true, found.systemIdentifier]);
  assert.deepEqual(found.maxOpen, whole.maxOpen, 'the workers need no other pools when the primary comes');
});

test('a server that is not a standby does not replace the primary for reads', async () => {
  const { write } = database().endpoints;
  await waitsForPrimary({ write: { ...write, ...away }, reads: [write] });
});

test('a standby that may lack a part of the schema gets no reads before the primary is available', async () => {
  const { write, read } = database().endpoints;
  await waitsForPrimary({ write: { ...write, ...away }, reads: [{ ...read, database: 'postgres' }] });
});

async function waitsForPrimary(configured: Parameters<typeof prepareStart>[0]): Promise<void> {
  const time = new AbortController();
  lines.length = 0;
  const refused = assert.rejects(prepareStart(configured, options, time.signal), /The databases did not answer/u);
  await waitFor('two attempts', () => lines.length >= 2);
  time.abort();
  await refused;
}
