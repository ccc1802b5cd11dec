import type { Log } from '../telemetry/log.ts';
import type { RepeatLog } from '../telemetry/repeat-log.ts';
import type { Role } from './settings.ts';

/** One message of a server. `backend` is the type of its process, undefined before the settings are read. */
export interface LogLine {
  readonly severity: string;
  readonly text: string;
  readonly sqlstate: string | undefined;
  readonly backend: string | undefined;
}

const format =
  /^(?:(?<sqlstate>[0-9A-Z]{5})\|\d+\|(?<backend>[^|]*)\|)?(?:\S.*? )??(?<severity>[A-Z]+\d?): {2}(?<text>.*)$/;

/** Parses a line that has our `log_line_prefix`; undefined for others, such as the second line of a statement. */
export function parseLogLine(line: string): LogLine | undefined {
  const groups = format.exec(line)?.groups;
  if (groups?.['severity'] === undefined || groups['text'] === undefined) return undefined;
  return {
    severity: groups['severity'],
    text: groups['text'],
    sqlstate: groups['sqlstate'],
    backend: groups['backend'],
  };
}

/** Processes that run clients' statements: their messages can quote user input. */
const speaksForUsers: ReadonlySet<string> = new Set(['client backend', 'parallel worker']);

const levels: Readonly<Record<string, 'debug' | 'warn' | 'error'>> = {
  LOG: 'debug',
  INFO: 'debug',
  NOTICE: 'debug',
  WARNING: 'warn',
  ERROR: 'debug',
  FATAL: 'warn',
  PANIC: 'error',
};

/** A server that is stopping or starting rejects connections: admin_shutdown and cannot_connect_now. */
const passingStates: ReadonlySet<string> = new Set(['57P01', '57P03']);

/** Class 53: too many connections, out of memory, disk full. Always logged, whoever caused it. */
function isShortage(line: LogLine): boolean {
  return line.sqlstate?.startsWith('53') === true;
}

function levelOf(line: LogLine): 'debug' | 'warn' | 'error' | undefined {
  const level = levels[line.severity];
  if (level === undefined || level === 'error') return level;
  // The standby's monitor reports errors of the receiver, which repeat twice a second.
  if (line.backend === 'walreceiver') return 'debug';
  if (isShortage(line)) return 'warn';
  // Clients receive their own errors.
  const isOthersBusiness = speaksForUsers.has(line.backend ?? '');
  return isOthersBusiness || passingStates.has(line.sqlstate ?? '') ? 'debug' : level;
}

/**
 * Relays a message to our log, except what may quote user input: DETAIL, CONTEXT and STATEMENT lines, clients' errors.
 * Messages about shortages share lines, because every client meets them.
 */
export function relayLogLine(log: Log, shortages: RepeatLog, role: Role, line: LogLine): void {
  const level = levelOf(line);
  if (level === undefined) return;
  const { backend, severity, sqlstate } = line;
  if (level === 'warn' && isShortage(line)) {
    const msg = `PostgreSQL: ${line.text}`;
    shortages.add({ level, key: `${sqlstate}`, one: msg, many: msg }, () => ({ role, backend, severity, sqlstate }));
    return;
  }
  const mayQuote = speaksForUsers.has(backend ?? '');
  log[level]({ role, backend, severity, sqlstate }, `PostgreSQL: ${mayQuote ? 'a message for a client' : line.text}`);
}
