import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A folder that scripts/run-tests.ts makes and removes: the test files of a run share prepared data there. */
function sharedFolder(): string | undefined {
  // oxlint-disable-next-line no-restricted-properties -- Of the test run, not of the server.
  return process.env['MESSENGER_TEST_SHARED'];
}

const execute = promisify(execFile);

/** Makes the databases of a new data folder. */
export type MakeData = (dataDir: string) => Promise<void>;

/**
 * Copies new databases to `dataDir`, which must not exist: 0.1 s instead of the 1.6 s of creating them. The first caller of a run
 * creates those of this name. Every copy has the same system identifier. Without a run it creates new databases.
 */
export async function copyPreparedData(name: 'pair' | 'server', dataDir: string, make: MakeData): Promise<void> {
  const shared = sharedFolder();
  if (shared === undefined) {
    await make(dataDir);
    return;
  }
  const prepared = join(shared, name);
  if (!existsSync(prepared)) await prepare(shared, prepared, make);
  await execute('cp', ['-a', join(prepared, 'data'), dataDir]);
}

/** Two test files may do this concurrently: the first one counts. */
async function prepare(shared: string, prepared: string, make: MakeData): Promise<void> {
  const own = await mkdtemp(join(shared, 'new-'));
  await chmod(own, 0o755);
  await make(join(own, 'data'));
  await rename(own, prepared).catch(async () => rm(own, { recursive: true }));
}

/** For a clean environment: Node stores compiled code there. */
export function compileCache(): Readonly<Record<string, string>> {
  // oxlint-disable-next-line no-restricted-properties -- Of the test run, not of the server.
  const { NODE_COMPILE_CACHE: folder } = process.env;
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}
