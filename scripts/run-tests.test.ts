import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import { waitFor } from '../server/test/wait-for.ts';

/** A checkout with our scripts and test files. */
let root: string;

const passing = `import { test } from 'node:test'; test('holds', () => {});`;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'messenger-run-tests-'));
  chmodSync(root, 0o755);
  cpSync(import.meta.dirname, join(root, 'scripts'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
});
after(() => rmSync(root, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly lastLine: string;
  readonly output: string;
}

/** Runs the tests of a checkout that contains these files. */
async function runTests(files: Readonly<Record<string, string>>, ...patterns: readonly string[]): Promise<Run> {
  rmSync(join(root, 'server'), { recursive: true, force: true });
  write('package.json', '{ "type": "module" }');
  for (const [name, source] of Object.entries(files)) write(name, source);
  return await runNode([join(root, 'scripts/run-tests.ts'), ...patterns]);
}

function write(name: string, source: string): void {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
}

/** node:test runs no tests in a process that looks like a test file's. */
function spawnNode(args: readonly string[]): ChildProcessByStdio<null, Readable, null> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function runNode(args: readonly string[]): Promise<Run> {
  const child = spawnNode(args);
  const closed = once(child, 'close');
  const output = await text(child.stdout);
  await closed;
  return { code: child.exitCode, output, lastLine: output.trimEnd().split('\n').at(-1) ?? '' };
}

/** Runs one test file with short limits. May run concurrently. */
async function runWithLimits(name: string, source: string, fileMs = 20_000): Promise<string> {
  write(`limited/${name}.test.ts`, source);
  const driver = `
    import { runTestFile } from '../scripts/test-file.ts';
    const result = await runTestFile(import.meta.dirname + '/${name}.test.ts', { testMs: 500, fileMs: ${fileMs} });
    console.log(JSON.stringify(result));
    process.exit();`;
  write(`limited/${name}.driver.ts`, driver);
  return (await runNode([join(root, `limited/${name}.driver.ts`)])).output;
}

/** Files that fail, with the expected reason. */
const failing: Readonly<Record<string, readonly [source: string, reason: RegExp]>> = {
  assertion: [
    `import assert from 'node:assert/strict'; import { describe, test } from 'node:test';
     describe('outer', () => { test('breaks', () => { console.log('a clue'); assert.equal(1, 2); }); });`,
    /assertion\.test\.ts › outer › breaks[^✖]*1 !== 2[^✖]*a clue/u,
  ],
  empty: ['export {};', /empty\.test\.ts\s+contains no test/u],
  exits: [
    `import { test } from 'node:test'; test('a', () => {}); test('b', () => { process.exit(0); });`,
    /exits\.test\.ts\s+ended before its tests/u,
  ],
  absent: [`import './absent.ts'; ${passing}`, /ERR_MODULE_NOT_FOUND/u],
  suite: [
    `import { before, describe, test } from 'node:test';
     describe('outer', () => { before(() => { throw new Error('no set-up'); }); test('inner', () => {}); });`,
    /no set-up/u,
  ],
  skip: [`import { test } from 'node:test'; test('a', { skip: true }, () => {});`, /skipped without a reason/u],
  todo: [`import { test } from 'node:test'; test('a', { todo: true }, () => {});`, /is a todo/u],
};

describe('npm test', () => {
  test('runs all files, prints a line for each, and counts the tests on its last line', async () => {
    const skipping = `${passing} test('later', { skip: 'needs root' }, () => {});`;
    const run = await runTests({ 'server/a.test.ts': passing, 'server/test/b.e2e.ts': skipping });
    assert.deepEqual([run.code, run.lastLine], [0, '2 passed, 0 failed, 1 skipped']);
    assert.match(run.output, /✔ server\/a\.test\.ts +\d\.\d s +1\n/u);
    assert.match(run.output, /✔ server\/test\/b\.e2e\.ts +\d\.\d s +2\n/u);
    assert.match(run.output, /skipped: server\/test\/b\.e2e\.ts › later: needs root/u);
  });

  test('reports why each file failed, lists the failures, and runs the other files', async () => {
    const files: Record<string, string> = { 'server/z.test.ts': passing };
    for (const [name, [source]] of Object.entries(failing)) files[`server/${name}.test.ts`] = source;
    const run = await runTests(files);
    assert.equal(run.code, 1);
    for (const [name, [, reason]] of Object.entries(failing)) {
      assert.match(run.output, reason);
      assert.match(run.output, new RegExp(`\nFailed:\n[^]*    server/${name}\\.test\\.ts`, 'u'));
    }
    assert.match(run.output, /✔ server\/z\.test\.ts/u);
    assert.match(run.lastLine, /^\d passed, \d failed$/u);
  });

  test('runs only files that match a pattern, and fails without any', async () => {
    const tests = { 'server/a.test.ts': passing, 'server/b.test.ts': passing, 'server/test/b.e2e.ts': passing };
    const runs = [
      [['server/b'], '1 passed, 0 failed'],
      [['!.e2e.'], '2 passed, 0 failed'],
      [['nothing'], '0 passed, 1 failed'],
    ] as const;
    for (const [patterns, lastLine] of runs) {
      const run = await runTests(tests, ...patterns);
      assert.deepEqual([run.lastLine, run.code], [lastLine, lastLine.startsWith('0') ? 1 : 0]);
    }
    assert.equal((await runTests({})).code, 1);
  });

  const rootOnly = process.geteuid?.() === 0 ? false : 'only root runs tests as another user';
  test('as root, fails at once when the test user cannot read the checkout', { skip: rootOnly }, async () => {
    chmodSync(root, 0o700);
    const run = await runTests({ 'server/a.pg.test.ts': passing }).finally(() => chmodSync(root, 0o755));
    assert.deepEqual([run.code, run.output], [1, '']);
  });

  test('starts the databases once, only for files that need them, and fails when they do not start', async () => {
    const setup = `
      export async function globalSetup() { console.log('set up'); process.env.DATABASES = 'up'; }
      export async function globalTeardown() { console.log('torn down'); }`;
    const needs = `
      import assert from 'node:assert/strict'; import { test } from 'node:test';
      test('has databases', () => assert.equal(process.env.DATABASES, 'up'));`;
    const files = { 'server/test/global-setup.ts': setup, 'server/a.test.ts': passing, 'server/b.pg.test.ts': needs };
    const all = await runTests(files);
    assert.deepEqual([all.code, all.lastLine], [0, '2 passed, 0 failed']);
    assert.match(all.output, /^set up[^]*torn down/u);
    assert.doesNotMatch((await runTests(files, 'server/a')).output, /set up/u);
    const broken = `export async function globalSetup() { throw new Error('no databases'); }`;
    assert.equal((await runTests({ ...files, 'server/test/global-setup.ts': broken })).code, 1);
  });
});

/** Starts a server that ends with its supervisor, and freezes it; then hangs. */
const startsServers = `
  import { spawn } from 'node:child_process'; import { once } from 'node:events'; import { test } from 'node:test';
  import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os'; import { join } from 'node:path';
  const supervise = \`
    const server = require('node:child_process').spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    server.kill('SIGSTOP');
    console.log(process.pid + ' ' + server.pid);\`;
  test('starts servers', async () => {
    const supervisor = spawn(process.execPath, ['-e', supervise], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pids = String(await once(supervisor.stdout, 'data')).trim();
    const started = { pids: [process.pid, ...pids.split(' ').map(Number)], folder: mkdtempSync(join(tmpdir(), 'own-')) };
    writeFileSync('starting.json', JSON.stringify(started));
    renameSync('starting.json', 'started.json');
    await once(supervisor, 'exit');
  });`;

interface Started {
  readonly pids: readonly number[];
  readonly folder: string;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Kills a run whose test has started servers, and waits until all of them are gone. */
async function killRun(signal: NodeJS.Signals): Promise<void> {
  const startedFile = join(root, 'started.json');
  rmSync(startedFile, { force: true });
  write('package.json', '{ "type": "module" }');
  write('server/killed.test.ts', startsServers);
  const run = spawnNode([join(root, 'scripts/run-tests.ts'), 'killed.test']);
  run.stdout.resume();
  await waitFor('the servers of the test', () => existsSync(startedFile));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by the test file above.
  const { pids, folder } = JSON.parse(readFileSync(startedFile, 'utf8')) as Started;
  assert.ok(pids.every(isAlive) && existsSync(folder));
  run.kill(signal);
  await once(run, 'exit');
  await waitFor('the processes of the run to end', () => !pids.some(isAlive));
  await waitFor('the files of the run to go', () => !existsSync(folder));
}

test('a run ended by SIGTERM leaves no processes and no files', async () => killRun('SIGTERM'));

test('a killed run leaves no processes and no files', async () => killRun('SIGKILL'));

describe('a test file', { concurrency: true }, () => {
  const cases: readonly (readonly [name: string, source: string, result: RegExp, fileMs?: number])[] = [
    ['leaks a timer', `${passing} setInterval(() => {}, 1000);`, /keep the process alive: Timeout/u],
    [
      'leaks a socket',
      `${passing} import { createServer } from 'node:net'; createServer().listen(0);`,
      /keep the process alive: TCPServerWrap/u,
    ],
    [
      'contains a test that hangs',
      `import { test } from 'node:test'; test('hangs', async () => new Promise(() => {})); setTimeout(() => {}, 5000);`,
      /› hangs[^]*timed out after 500ms/u,
    ],
    [
      'spins and ignores SIGTERM',
      `import { test } from 'node:test'; process.on('SIGTERM', () => {});
       const end = Date.now() + 9_000; test('spins', () => { while (Date.now() < end); });`,
      /took more than 4 s/u,
      4_000,
    ],
  ];
  for (const [name, source, result, fileMs] of cases)
    test(`that ${name} fails`, async () => {
      const output = await runWithLimits(name.replaceAll(' ', '-'), source, fileMs);
      assert.match(output, result);
      assert.doesNotMatch(output, /"failures":\[\]/u);
    });

  test('may take time to clean up', async () => {
    const slow = `
      import { after } from 'node:test'; import { setTimeout as sleep } from 'node:timers/promises';
      after(async () => { await sleep(3_300); }, { timeout: 10_000 });`;
    assert.match(await runWithLimits('slow', `${slow} ${passing}`), /"passed":1,"failures":\[\]/u);
  });
});
