import { chmod, constants, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { assertReachable, becomeUser, isRoot } from '../process/os-user.ts';
import { findBinaries } from './binaries.ts';
import { defaultUser } from './give-data-folder.ts';

/** PostgreSQL does not run as root: a test process of root becomes the user that the server would become, for good. */
export async function becomeTestUser(): Promise<void> {
  await findBinaries(undefined); // Makes its links, which that user cannot make.
  const user = await defaultUser();
  if (isRoot()) becomeUser(user);
  await assertReachable(import.meta.filename, constants.R_OK);
}

/** An empty temporary folder, for a test that runs PostgreSQL. The caller removes it. */
export async function makeTestFolder(): Promise<string> {
  await becomeTestUser();
  const folder = await mkdtemp(join(tmpdir(), 'messenger-test-'));
  await chmod(folder, 0o755);
  return folder;
}

/** Settings of databases that admit every role without a password: for tests that create roles. */
export async function letInEveryRole(folder: string): Promise<Readonly<Record<string, string>>> {
  const path = join(folder, 'pg_hba.conf');
  await writeFile(path, 'local all all trust\nlocal replication all trust\n');
  return { hba_file: path };
}
