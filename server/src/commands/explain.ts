import { inspect } from 'node:util';

import { ConfigError } from '../load-config.ts';
import { exitCodes } from './io.ts';
import { refusalOf } from './refusal.ts';

/**
 * Prints why a command ended, and returns the exit code. What an operator can change is told in its own words; anything
 * else is a defect, and told with its stack.
 */
export function explain(error: unknown, print: (text: string) => void): number {
  print(`${refusalOf(error) ?? inspect(error)}\n`);
  return error instanceof ConfigError ? exitCodes.config : exitCodes.failed;
}
