import { pino, type Logger } from 'pino';

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

/** Lines of JSON on stdout; lines for a person when stdout is a terminal. `name` says which process speaks. */
export async function createLog(options: { level: LogLevel; name: string; pretty: boolean }): Promise<Log> {
  const base = { level: options.level, name: options.name, serializers: { err: describeError } };
  if (!options.pretty) return pino(base);
  const { default: pretty } = await import('pino-pretty');
  return pino(base, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }));
}
