/** Installs the packages of the lock file if node_modules lacks them. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { nodePackage, runChild } from '../server/bin/node26.mjs';
import { withInstallLock } from './install-lock.mjs';

/**
 * Takes about 2 ms, and prints nothing, when nothing is missing. `needsDev`: development packages count, too; without
 * it, a folder installed with `npm ci --omit=dev` is complete and stays so.
 */
export async function installWhatIsMissing(root, { needsDev }) {
  const whyInstall = () => findMissing(root, needsDev);
  if (whyInstall() === undefined) return true;
  if (!isWritable(root)) {
    console.error(`Cannot install: ${whyInstall()}, and ${root} is not writable.`);
    return false;
  }
  return await withInstallLock(root, async () => {
    const reason = whyInstall(); // Another command may have installed while we waited.
    if (reason === undefined) return true;
    return await install(root, reason, needsDev ? true : !omitsDev(root));
  });
}

async function install(root, reason, withDev) {
  console.error(`Installing the packages, because ${reason} …`);
  const failure = await npmCi(root, withDev);
  if (failure === undefined) return true;
  console.error(`Installing failed: ${failure}. Nothing was started.`);
  return false;
}

/**
 * Why node_modules does not match the lock file; undefined when it does. npm writes node_modules/.package-lock.json as
 * the last step of an install, so an interrupted one has none. Optional packages count only if they are installed,
 * because most are for other platforms; this platform's Node always counts.
 */
function findMissing(root, needsDev) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const found = readPackages(join(root, 'node_modules/.package-lock.json'));
  if (wanted === undefined) return 'package-lock.json cannot be read';
  if (found === undefined) return 'node_modules is missing or incomplete';
  for (const [path, { version, dev, optional, devOptional, link }] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') || link === true || (dev === true && !needsDev)) continue;
    const installed = found[path]?.version;
    const isFine = installed === version || (installed === undefined && (optional ?? devOptional) === true);
    if (!isFine) return `${path} is ${installed ?? 'missing'}, but package-lock.json has ${version}`;
  }
  const nodePath = join('node_modules', nodePackage);
  if (nodePath in wanted && !existsSync(join(root, nodePath))) return `${nodePath} is missing`;
  return undefined;
}

/** Whether the last install omitted development packages. */
function omitsDev(root) {
  const found = readPackages(join(root, 'node_modules/.package-lock.json'));
  return found !== undefined && !Object.values(found).some(({ dev }) => dev === true);
}

function readPackages(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Explicit, because NODE_ENV=production changes npm's defaults. Packages may require a newer Node than the one that
 * runs npm, but they run on Node 26, so npm must not refuse; .npmrc silences its warnings.
 */
const ciOptions = ['--include=optional', '--engine-strict=false'];

/** Resolves with the error, or undefined. */
async function npmCi(root, withDev) {
  const [command, ...first] = findNpm();
  const options = [withDev ? '--include=dev' : '--omit=dev', ...ciOptions];
  try {
    const { code, signal } = await runChild(command, [...first, 'ci', ...options], { cwd: root });
    if (signal !== null) return `npm was killed by ${signal}`;
    return code === 0 ? undefined : `npm exited with code ${code}; see its output above`;
  } catch (error) {
    return error.code === 'ENOENT' ? 'there is no npm on the PATH' : error.message;
  }
}

/** The npm that started us, on its Node; pnpm and yarn set the same variable, but have no `ci`. */
function findNpm() {
  const starter = process.env.npm_execpath;
  const isNpm = starter !== undefined && basename(starter) === 'npm-cli.js';
  return isNpm ? [process.execPath, starter] : ['npm'];
}
