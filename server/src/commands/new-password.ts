import { OperatorError } from '../lib/operator-error.ts';
import { readSecretFile } from '../lib/secret-file.ts';
import type { Io } from './io.ts';

/** The password in a file, or what is typed twice on the terminal. */
export async function readNewPassword(file: string | undefined, io: Io): Promise<string> {
  if (file !== undefined) return readFrom(file);
  if (io.askSecret === undefined)
    throw new OperatorError('There is no terminal to ask for the password: use --password-file <file>.');
  const password = await io.askSecret('Password: ');
  if ((await io.askSecret('The same again: ')) !== password) throw new OperatorError('The two passwords differ.');
  return password;
}

function readFrom(file: string): string {
  const read = readSecretFile(file);
  if ('problem' in read) throw new OperatorError(`--password-file: ${read.problem}`);
  return read.secret;
}
