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

/** A checkout that has only our scripts, checks that say `true` or what a test wants, and the test files of a test. */
let root: string;

const passing = `import { test } from 'node:test'; test('holds', () => {});`;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'messenger-check-'));
  chmodSync(root, 0o755);
  cpSync(import.meta.dirname, join(root, 'scripts'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
});
after(() => rmSync(root, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly lastLine: string;
  readonly output: string;
}

interface Wanted {
  readonly tests: Readonly<Record<string, string>>;
  readonly checks?: Readonly<Record<string, string>>;
  readonly patterns?: readonly string[];
}

/** Runs check.ts on a checkout made of the given files. */
async function check({ tests, checks = {}, patterns = [] }: Wanted): Promise<Run> {
  const scripts = { 'format:check': 'true', lint: 'true', types: 'true', unused: 'true', ...checks };
  rmSync(join(root, 'server'), { recursive: true, force: true });
  write('package.json', JSON.stringify({ type: 'module', scripts }));
  for (const [name, source] of Object.entries(tests)) write(name, source);
  return await runNode([join(root, 'scripts/check.ts'), ...patterns]);
}

function write(name: string, source: string): void {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
}

/** node:test runs no tests in a process that believes to be a test file itself. */
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

/** Runs one test file with limits that a test can wait for. Several may run at a time. */
async function runWithLimits(name: string, source: string): Promise<Run> {
  write(`limited/${name}.test.ts`, source);
  const limits = { concurrency: 1, testMs: 500, silenceMs: 4_000 };
  const driver = `
    import { printStep, printSum } from '../scripts/outcome.ts';
    import { runTestFiles } from '../scripts/run-tests.ts';
    const file = import.meta.dirname + '/${name}.test.ts';
    await runTestFiles([file], ${JSON.stringify(limits)}, new AbortController().signal, (path, outcome, ms) => {
      printStep(path, ms, outcome);
      process.exit(printSum(outcome));
    });`;
  write(`limited/${name}.driver.ts`, driver);
  return await runNode([join(root, `limited/${name}.driver.ts`)]);
}

describe('npm test', () => {
  test('counts checks and tests together on its last line', async () => {
    const run = await check({ tests: { 'server/a.test.ts': passing, 'server/test/b.e2e.ts': passing } });
    assert.deepEqual([run.code, run.lastLine], [0, '6 passed, 0 failed']);
  });

  const rootOnly = process.geteuid?.() === 0 ? false : 'only root runs tests as another user';
  test('ends at once, as root, when the user of the tests cannot read the checkout', { skip: rootOnly }, async () => {
    chmodSync(root, 0o700);
    const run = await check({ tests: { 'server/a.pg.test.ts': passing } }).finally(() => chmodSync(root, 0o755));
    assert.deepEqual([run.code, run.output], [1, '']);
  });

  test('runs everything else when a check fails, shows what the check said, and fails', async () => {
    const run = await check({ tests: { 'server/a.test.ts': passing }, checks: { lint: 'echo no such rule; exit 3' } });
    assert.deepEqual([run.code, run.lastLine], [1, '4 passed, 1 failed']);
    assert.match(run.output, /✖ lint[^]*no such rule[^]*✔ server\/a\.test\.ts/u);
  });

  test('shows a failing test with its suite, its error and the output of its file, and fails', async () => {
    const failing = `
      import assert from 'node:assert/strict'; import { describe, test } from 'node:test';
      describe('outer', () => { test('breaks', () => { console.log('a clue'); assert.equal(1, 2); }); });`;
    const run = await check({ tests: { 'server/a.test.ts': failing, 'server/b.test.ts': passing } });
    assert.deepEqual([run.code, run.lastLine], [1, '5 passed, 1 failed']);
    assert.match(run.output, /server\/a\.test\.ts › outer › breaks[^]*1 !== 2[^]*a clue/u);
  });

  test('fails when there is no test', async () => {
    const run = await check({ tests: {} });
    assert.deepEqual([run.code, run.lastLine], [1, '4 passed, 1 failed']);
  });

  test('fails when a file holds no test, or leaves before its tests are done', async () => {
    const leaves = `import { test } from 'node:test'; test('a', () => {}); test('b', () => { process.exit(0); });`;
    const run = await check({ tests: { 'server/a.test.ts': 'export {};', 'server/b.test.ts': leaves } });
    assert.equal(run.code, 1);
    assert.match(run.output, /a\.test\.ts\s+holds no test/u);
    assert.match(run.output, /b\.test\.ts\s+ended before its tests did/u);
  });

  test('fails when a file cannot be imported', async () => {
    const run = await check({ tests: { 'server/a.test.ts': `import './absent.ts'; ${passing}` } });
    assert.deepEqual([run.code, run.lastLine], [1, '4 passed, 1 failed']);
    assert.match(run.output, /ERR_MODULE_NOT_FOUND/u);
  });

  test('fails when the set-up of a suite fails', async () => {
    const broken = `
      import { before, describe, test } from 'node:test';
      describe('outer', () => { before(() => { throw new Error('no set-up'); }); test('inner', () => {}); });`;
    const run = await check({ tests: { 'server/a.test.ts': broken } });
    assert.equal(run.code, 1);
    assert.match(run.output, /no set-up/u);
  });

  test('counts a skipped test that says why, and fails for one that does not, and for a todo', async () => {
    const skip = (options: string): string => `${passing} test('a', ${options}, () => {});`;
    const explained = await check({ tests: { 'server/a.test.ts': skip("{ skip: 'needs root' }") } });
    assert.deepEqual([explained.code, explained.lastLine], [0, '5 passed, 0 failed, 1 skipped']);
    assert.match(explained.output, /skipped: server\/a\.test\.ts › a: needs root/u);
    for (const options of ['{ skip: true }', '{ todo: true }']) {
      const silent = await check({ tests: { 'server/a.test.ts': skip(options) } });
      assert.deepEqual([silent.code, silent.lastLine], [1, '5 passed, 1 failed']);
    }
  });

  test('given a pattern, runs only the tests of the files that match it', async () => {
    const tests = { 'server/a.test.ts': passing, 'server/b.test.ts': passing, 'server/test/b.e2e.ts': passing };
    assert.equal((await check({ tests, patterns: ['server/b'] })).lastLine, '1 passed, 0 failed');
    assert.equal((await check({ tests, patterns: ['!.e2e.'] })).lastLine, '2 passed, 0 failed');
    const none = await check({ tests, patterns: ['nothing'] });
    assert.deepEqual([none.code, none.lastLine], [1, '0 passed, 1 failed']);
  });

  test('starts the databases once, and only for files that need them', async () => {
    const setup = `
      export async function globalSetup() { console.log('set up'); process.env.DATABASES = 'up'; }
      export async function globalTeardown() { console.log('torn down'); }`;
    const needs = `
      import assert from 'node:assert/strict'; import { test } from 'node:test';
      test('has databases', () => assert.equal(process.env.DATABASES, 'up'));`;
    const files = { 'server/test/global-setup.ts': setup, 'server/a.test.ts': passing, 'server/b.pg.test.ts': needs };
    const all = await check({ tests: files });
    assert.deepEqual([all.code, all.lastLine], [0, '6 passed, 0 failed']);
    assert.match(all.output, /set up[^]*torn down/u);
    assert.doesNotMatch((await check({ tests: files, patterns: ['server/a'] })).output, /set up/u);
  });

  test('fails when the databases cannot be started, and still runs the other tests', async () => {
    const setup = `export async function globalSetup() { throw new Error('no databases'); }`;
    const files = { 'server/test/global-setup.ts': setup, 'server/a.test.ts': passing, 'server/b.pg.test.ts': passing };
    const run = await check({ tests: files });
    assert.deepEqual([run.code, run.lastLine], [1, '5 passed, 1 failed']);
    assert.match(run.output, /no databases/u);
  });
});

/** Starts a server that ends with its supervisor, and freezes it; then does not end. */
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

/** Kills a run whose test has started servers, and waits until nothing is left of it. */
async function killRun(signal: NodeJS.Signals): Promise<void> {
  const startedFile = join(root, 'started.json');
  rmSync(startedFile, { force: true });
  write('package.json', '{ "type": "module" }');
  write('server/killed.test.ts', startsServers);
  const run = spawnNode([join(root, 'scripts/check.ts'), 'killed.test']);
  run.stdout.resume();
  await waitFor('the servers of the test', () => existsSync(startedFile), 20_000);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by the test file above.
  const { pids, folder } = JSON.parse(readFileSync(startedFile, 'utf8')) as Started;
  assert.ok(pids.every(isAlive) && existsSync(folder));
  run.kill(signal);
  await once(run, 'exit');
  await waitFor('the processes of the run to end', () => !pids.some(isAlive), 20_000);
  await waitFor('the files of the run to go', () => !existsSync(folder), 20_000);
}

test('a run that is ended by SIGTERM leaves neither processes nor files', async () => killRun('SIGTERM'));

test('a run that is killed leaves neither processes nor files', async () => killRun('SIGKILL'));

describe('a test file', { concurrency: true }, () => {
  test('that leaks a timer or a socket fails, and is told what it leaks', async () => {
    const timer = await runWithLimits('timer', `${passing} setInterval(() => {}, 1000);`);
    assert.equal(timer.code, 1);
    assert.match(timer.output, /lives on because of: Timeout/u);
    const socket = await runWithLimits(
      'socket',
      `${passing} import { createServer } from 'node:net'; createServer().listen(0);`,
    );
    assert.equal(socket.code, 1);
    assert.match(socket.output, /lives on because of: TCPServerWrap/u);
  });

  test('may take its time to clean up', async () => {
    const slow = `
      import { after } from 'node:test'; import { setTimeout as sleep } from 'node:timers/promises';
      after(async () => { await sleep(3_300); }, { timeout: 10_000 });`;
    const run = await runWithLimits('slow', `${slow} ${passing}`);
    assert.deepEqual([run.code, run.lastLine], [0, '1 passed, 0 failed']);
  });

  test('whose test hangs fails after the time of a test', async () => {
    const hanging = `import { test } from 'node:test'; test('hangs', async () => { await new Promise(() => {}); });`;
    const run = await runWithLimits('hanging', `${hanging} setTimeout(() => {}, 1000);`);
    assert.equal(run.code, 1);
    assert.match(run.output, /hangs[^]*timed out after 500ms/u);
  });

  test('that spins is killed when it has given no news for too long', async () => {
    const run = await runWithLimits(
      'spinning',
      `import { test } from 'node:test'; test('spins', () => { for (;;); });`,
    );
    assert.equal(run.code, 1);
    assert.match(run.output, /killed after 4 s without news/u);
  });

  test('that spins and catches signals is given up', async () => {
    const stubborn = `import { test } from 'node:test'; process.on('SIGTERM', () => {});`;
    const spins = `const end = Date.now() + 9_000; test('spins', () => { while (Date.now() < end); });`;
    const run = await runWithLimits('stubborn', `${stubborn} ${spins}`);
    assert.equal(run.code, 1);
    assert.match(run.output, /killed after 4 s without news/u);
  });
});
