import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { changedOptions, needsRestart } from './changed-options.ts';
import { optionTable, type Config } from './config.ts';
import { loadConfig } from './load-config.ts';
import { listOptions } from './lib/options.ts';

function configOf(t: TestContext, yaml: string): Config {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-options-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'messenger.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ flags: {}, env: {}, file }).config;
}

test('changed options are listed by name; equal lists are no change', (t) => {
  const origins = 'cors_origins: ["https://a.example", "https://b.example"]';
  const before = configOf(t, `server: {${origins}}`);
  const after = configOf(t, `server: {${origins}, max_queue_ms: 100}\nlog: {level: warn}`);
  assert.deepEqual(changedOptions(before, after), ['MAX_QUEUE_MS', 'LOG_LEVEL']);
  assert.deepEqual(changedOptions(before, before), []);
});

test('options that need a restart are refused by name', (t) => {
  const [before, after] = [configOf(t, ''), configOf(t, 'server: {port: 1234, max_queue_ms: 100, host: "::"}')];
  assert.throws(() => changedOptions(before, after), /^OperatorError: PORT, HOST cannot change while the server runs/u);
});

test('a reload can change only options of workers, not of the supervisor', () => {
  const fixed = listOptions(optionTable).filter(needsRestart);
  const names = new Set<string>(fixed.map(({ option }) => option.env));
  for (const name of ['PORT', 'HOST', 'WORKERS', 'METRICS_PORT', 'DURABILITY', 'MESSENGER_DATA_DIR'])
    assert.ok(names.has(name), name);
  assert.equal(names.has('MAX_QUEUE_MS'), false);
});

test("embedded databases cannot be replaced by the operator's servers", (t) => {
  const [before, after] = [configOf(t, ''), configOf(t, 'write_db: {host: primary}')];
  assert.throws(() => changedOptions(before, after), /cannot be exchanged/u);
});
