import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('../../server/bin/messenger.mjs', import.meta.url));

/** The connection string of the primary of a running server, by the options that it was started with. */
export async function findDatabaseUrl(options: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, 'db', 'url', ...options], {
    timeout: 20_000,
  });
  return stdout.trim();
}
