import { pino, type Logger } from 'pino';
import { PinoPretty as pretty } from 'pino-pretty';

export type Log = Logger;
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What of an error may be written down. PostgreSQL's `detail`, `where` and parameters hold what users typed. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}

/** Lines of JSON on stderr, or lines for a person when `pretty`. `name` says which process speaks. stdout is for results. */
export function createLog(options: { level: LogLevel; name: string; pretty: boolean }): Log {
  const base = { level: options.level, name: options.name, serializers: { err: describeError } };
  const lines = { destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' };
  return pino(base, options.pretty ? pretty(lines) : pino.destination({ dest: 2, sync: true }));
}

export const logFormats = ['auto', 'json', 'pretty'] as const;

export function isPretty(format: (typeof logFormats)[number], isTerminal: boolean): boolean {
  return format === 'auto' ? isTerminal : format === 'pretty';
}
