import { pino, type DestinationStream, type Logger } from 'pino';

import { LogOutput } from './log-output.ts';
import { Terminal } from './terminal.ts';

export type Log = Logger;
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
type LogLevel = (typeof logLevels)[number];

/** The fields of an error that may be logged. PostgreSQL's `detail`, `where` and parameters contain user data. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}

export interface LogOptions {
  readonly level: LogLevel;
  /** The name of the process. */
  readonly name: string;
  readonly pretty: boolean;
}

/** JSON lines, or readable lines when `pretty`; to stderr, because stdout is for results. Tests pass a `sink`. */
export function createLog(
  { level, name, pretty }: LogOptions,
  sink: DestinationStream = new LogOutput(process.stderr),
): Log {
  return pino({ level, name, serializers: { err: describeError } }, pretty ? new Terminal(sink) : sink);
}

export const logFormats = ['auto', 'json', 'pretty'] as const;

export function isPretty(format: (typeof logFormats)[number], isTerminal: boolean): boolean {
  return format === 'auto' ? isTerminal : format === 'pretty';
}
