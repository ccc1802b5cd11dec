import { inspect } from 'node:util';

import { describeRefusal } from '../db/errors.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { ConfigError } from '../load-config.ts';
import { exitCodes } from './io.ts';

/** The message for an error that an operator can fix; undefined for a defect. */
export function refusalOf(error: unknown): string | undefined {
  if (error instanceof ConfigError)
    return `The configuration cannot be used:\n${error.message.replaceAll(/^/gmu, '  ')}`;
  return error instanceof OperatorError || isSystemError(error) ? error.message : describeRefusal(error);
}

/** Such as a full disk: the message names the failed operation and its file. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Prints why a command ended, a defect with its stack. Returns the exit code. */
export function explain(error: unknown, print: (text: string) => void): number {
  print(`${refusalOf(error) ?? inspect(error)}\n`);
  return error instanceof ConfigError ? exitCodes.config : exitCodes.failed;
}
