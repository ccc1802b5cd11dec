import { ConfigError } from '../load-config.ts';
import { describeRefusal } from '../db/errors.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** What an operator can change, in words for them; undefined for a defect. */
export function refusalOf(error: unknown): string | undefined {
  if (error instanceof ConfigError)
    return `The configuration cannot be used:\n${error.message.replaceAll(/^/gmu, '  ')}`;
  return error instanceof OperatorError || isSystemError(error) ? error.message : describeRefusal(error);
}

/** Such as a full disk: the message names what failed, and on what. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
