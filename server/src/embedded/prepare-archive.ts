import { access, constants, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';

import { OperatorError } from '../lib/operator-error.ts';
import { currentUser } from '../process/os-user.ts';
import { errorCode } from '../lib/error-code.ts';

/** Creates the folder for archived WAL when absent. Rejects with `OperatorError` when the server cannot write to it. */
export async function prepareArchive(archiveDir: string): Promise<void> {
  const folder = resolve(archiveDir);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { name } = currentUser();
    throw new OperatorError(
      `The folder for archived WAL ${folder} cannot be written by "${name}" (${errorCode(cause)}). Create it as root: ` +
        `\`install -d -m 700 -o ${name} ${folder}\`, or correct MESSENGER_ARCHIVE_DIR.`,
      { cause },
    );
  }
}
