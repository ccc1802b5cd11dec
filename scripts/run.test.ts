import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { nodePackage } from '../server/bin/node26.mjs';

/** A checkout with our launchers, a main.ts that prints its arguments, and an npm that records its calls. */
let root: string;
let temporary: string;

const main = 'console.log("main got", process.argv.slice(2).join(" "));';

/** Installs a Node 26 that is not the file that runs this test, so that the launcher needs a second process. */
const npm = `
  import { appendFileSync, copyFileSync, mkdirSync } from 'node:fs';
  appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 300));
  if (process.env.NPM_FAILS) process.exit(5);
  mkdirSync('node_modules', { recursive: true });
  copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'messenger-run-'));
  root = join(temporary, 'checkout');
  for (const folder of ['scripts', 'server/bin'])
    cpSync(join(import.meta.dirname, '..', folder), join(root, folder), { recursive: true });
  write('server/src/main.ts', main);
  write('npm/npm-cli.js', npm);
  write('npm/package.json', '{ "type": "module" }');
  writeLock({
    'node_modules/fastify': { version: '5.0.0' },
    'node_modules/mac-only': { version: '1.0.0', optional: true },
  });
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

function write(name: string, source: string): string {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  return file;
}

function writeLock(packages: object, folder = ''): void {
  write(`${folder}package-lock.json`, JSON.stringify({ packages }));
}

/** The package of this platform whose executable is the given shell script. */
function installNode(script: string): void {
  write(`node_modules/${nodePackage}/package.json`, JSON.stringify({ version: process.versions.node }));
  chmodSync(write(`node_modules/${nodePackage}/bin/node`, `#!/bin/sh\n${script}\n`), 0o755);
}

const otherNode = `exec ${process.execPath} "$@"`;

function launch(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, npm_execpath: join(root, 'npm/npm-cli.js'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function finish(child: ChildProcess): Promise<Run> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const closed = once(child, 'close');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await closed;
  return { code: child.exitCode, out, err };
}

const start = async (env: NodeJS.ProcessEnv = {}): Promise<Run> =>
  await finish(launch(['scripts/run.mjs', 'start', '--port', '1'], env));

function npmCalls(): string[] {
  const file = join(root, 'npm-calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

describe('npm start', () => {
  test('installs missing packages once, with the reason, and is silent afterwards', async () => {
    const first = await start();
    assert.equal(first.out, 'main got start --port 1\n');
    assert.match(first.err, /^Installing the packages, because node_modules is missing or incomplete …\n$/u);
    assert.match(npmCalls()[0] ?? '', /^ci --include=dev/u);
    assert.deepEqual(await start(), { code: 0, out: 'main got start --port 1\n', err: '' });
    assert.equal(npmCalls().length, 1);
  });

  test('installs again when the lock file has another version', async () => {
    writeLock({ 'node_modules/fastify': { version: '4.0.0' } }, 'node_modules/.');
    const { err } = await start();
    assert.match(err, /because node_modules\/fastify is 4\.0\.0, but package-lock\.json has 5\.0\.0/u);
    assert.equal(npmCalls().length, 1);
  });

  test('keeps a folder without development packages that way, also after a new version', async () => {
    const fastify = { version: '5.0.0' };
    writeLock({ 'node_modules/fastify': fastify, 'node_modules/knip': { version: '6.0.0', dev: true } });
    writeLock({ 'node_modules/fastify': fastify }, 'node_modules/.');
    assert.deepEqual(await start(), { code: 0, out: 'main got start --port 1\n', err: '' });
    assert.deepEqual(npmCalls(), []);
    writeLock({ 'node_modules/fastify': { version: '4.0.0' } }, 'node_modules/.');
    await start();
    assert.match(npmCalls()[0] ?? '', /^ci --omit=dev/u);
  });

  test('starts nothing when npm fails', async () => {
    const { code, out, err } = await start({ NPM_FAILS: '1' });
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /Installing failed: npm exited with code 5; see its output above\. Nothing was started\.\n$/u);
  });

  test('started twice at once, installs once', async () => {
    const runs = await Promise.all([start(), start()]);
    assert.deepEqual(
      runs.map(({ code, out }) => [code, out]),
      [0, 0].map((code) => [code, 'main got start --port 1\n']),
    );
    assert.equal(npmCalls().length, 1);
    assert.match(runs.map(({ err }) => err).join(''), /is installing the packages; waiting for it/u);
  });

  test('does not wait for an install that was killed', async () => {
    const killed = launch(['scripts/run.mjs', 'start']);
    while (npmCalls().length === 0) await sleep(10);
    assert.ok(existsSync(join(root, '.installing')), 'the lock is in the checkout, where others cannot put a link');
    killed.kill('SIGKILL');
    await finish(killed);
    rmSync(join(root, 'node_modules'), { recursive: true, force: true });
    assert.equal((await start()).code, 0);
  });
});

describe('a launcher without a working Node 26', () => {
  test('installs when this platform’s Node is missing, although it is optional', async () => {
    writeLock({ [`node_modules/${nodePackage}`]: { version: '26.0.0', optional: true } });
    writeLock({}, 'node_modules/.');
    const { err } = await start();
    assert.match(err, new RegExp(`because node_modules/${nodePackage} is missing`, 'u'));
    assert.equal(npmCalls().length, 1);
  });

  test('reports a package without an executable', async () => {
    write(`node_modules/${nodePackage}/package.json`, '{ "version": "26.0.0" }');
    const { code, err } = await finish(launch(['server/bin/messenger.mjs']));
    assert.equal(code, 1);
    assert.match(err, /does not run on this machine[^]*ENOENT[^]*npm ci/u);
  });

  test('reports a binary for another machine', async () => {
    installNode('echo not a program >&2; exit 2');
    const { code, err } = await finish(launch(['server/bin/messenger.mjs']));
    assert.equal(code, 1);
    assert.match(err, /does not run on this machine[^]*not a program[^]*npm ci/u);
  });
});

describe('messenger, launched by another Node', () => {
  const announces = `process.on('SIGTERM', () => { console.log('asked to stop'); setTimeout(() => process.exit(7), 200); });`;

  /** Starts it, and resolves when main.ts handles signals. */
  async function launchReady(source: string): Promise<ChildProcess> {
    installNode(otherNode);
    write('server/src/main.ts', `${source} setInterval(() => {}, 1000); process.stderr.write('ready');`);
    const child = launch(['server/bin/messenger.mjs']);
    assert.ok(child.stderr !== null);
    await once(child.stderr, 'data');
    return child;
  }

  test('gets the arguments and returns its exit code', async () => {
    installNode(otherNode);
    write('server/src/main.ts', `${main} process.exitCode = 78;`);
    const run = await finish(launch(['server/bin/messenger.mjs', 'migrate', 'status']));
    assert.deepEqual(run, { code: 78, out: 'main got migrate status\n', err: '' });
  });

  test('gets the launcher’s signal, and the launcher waits for it', async () => {
    const child = await launchReady(announces);
    child.kill('SIGTERM');
    assert.deepEqual(await finish(child), { code: 7, out: 'asked to stop\n', err: '' });
  });

  test('killed by a signal ends the launcher with the same signal', async () => {
    const child = await launchReady(`setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);`);
    await finish(child);
    assert.equal(child.signalCode, 'SIGKILL');
  });
});
