import { inspect } from 'node:util';

import { ConfigError } from '../config.ts';
import { describeRefusal } from '../db/errors.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { exitCodes } from './io.ts';

/**
 * Prints why a command ended, and returns the exit code. What an operator can change is told in its own words; anything
 * else is a defect, and told with its stack.
 */
export function explain(error: unknown, print: (text: string) => void): number {
  if (error instanceof ConfigError) {
    print(`The configuration cannot be used:\n${error.message.replaceAll(/^/gmu, '  ')}\n`);
    return exitCodes.config;
  }
  const refusal = error instanceof OperatorError || isSystemError(error) ? error.message : describeRefusal(error);
  print(`${refusal ?? inspect(error)}\n`);
  return exitCodes.failed;
}

/** Such as a full disk: the message names what failed, and on what. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
