import { createHash } from 'node:crypto';
import { chmod, cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findBinaries } from './binaries.ts';
import { exists } from './data-folder.ts';
import { assertReachable, resolveOsUser } from './os-user.ts';

/** An empty folder among the temporary files that the databases' user can enter. The caller removes it. */
export async function makeTestFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-test-'));
  await chmod(folder, 0o755);
  return folder;
}

/** Copies PostgreSQL to where everybody can reach it; the copy stays for later runs of the same checkout. */
async function copyOnce(root: string): Promise<string> {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const copy = join(tmpdir(), `messenger-test-binaries-${name}`);
  if (await exists(copy)) return copy;
  const unfinished = await makeTestFolder();
  await cp(root, unfinished, { recursive: true, verbatimSymlinks: true });
  // Another test process may have been faster: its copy is as good.
  await rename(unfinished, copy).catch(async () => rm(unfinished, { recursive: true, force: true }));
  return copy;
}

/**
 * For tests that run as root from a checkout that nobody cannot enter: a `binariesDir` that it can. Undefined when the
 * npm package itself will do.
 */
export async function testBinaries(): Promise<string | undefined> {
  const [user, { root, postgres }] = await Promise.all([resolveOsUser(undefined), findBinaries(undefined)]);
  return assertReachable(user, postgres).then(
    () => undefined,
    async () => copyOnce(root),
  );
}
