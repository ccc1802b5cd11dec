import { DatabaseError } from 'pg';

import { AppError } from '../lib/app-error.ts';

/**
 * What a failed statement means to the caller. SQLSTATE (PostgreSQL manual, appendix A): class 08 connection; 53 insufficient resources;
 * 57P* shutdown, crash, starting up; 25P03 an idle transaction that the server ended; 25006 a write to a server that became read-only;
 * 40001 on a standby: a conflict with replay, not caused by the request. 57014, 55P03 and 25P04 are time-outs: of the statement, of a lock,
 * of the transaction.
 */
export type FailureKind = 'unavailable' | 'cancelled' | 'statement';

const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAGAIN',
  'EMFILE',
  'ENFILE',
]);

/** `pg`'s own connection errors have no code, only these messages. */
const connectionWords =
  /^(connection terminated|timeout expired|timeout exceeded|client has encountered a connection error|client was closed)/iu;

/** `pg`'s messages for a connection that had ended before: the statement was never sent. */
const neverSentWords = /^client (has encountered a connection error|was closed)/iu;

const unavailableStates = /^(08|53|57P0[1235]|25006|25P03|40001)/u;

const cancelledStates = /^(57014|55P03|25P04)$/u;

/** The kind of a failure of `pg`, by SQLSTATE or the message of the driver; `statement` for unknown errors. */
export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof DatabaseError) {
    if (cancelledStates.test(error.code ?? '')) return 'cancelled';
    return unavailableStates.test(error.code ?? '') ? 'unavailable' : 'statement';
  }
  if (!(error instanceof Error)) return 'statement';
  if ('code' in error && typeof error.code === 'string' && socketErrors.has(error.code)) return 'unavailable';
  return connectionWords.test(error.message) ? 'unavailable' : 'statement';
}

/** 22 data, 23 constraints, 44 check option, 54 too large, P0 raised by a trigger. */
const statesOfCalls = /^(22|23|44|54|P0)/u;

/** The batch needs more temporary files than `temp_file_limit` allows; a part of it may not. */
const tooLargeTogether = '53400';

/** Whether the arguments of the statement made it fail: a part of its calls may succeed. */
export function isFaultOfCalls(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error;
  if (!(cause instanceof DatabaseError)) return false;
  return cause.code === tooLargeTogether || statesOfCalls.test(cause.code ?? '');
}

/** Whether another server may succeed where this standby failed. A time-out would only be later there. */
export function isFaultOfStandby(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'database_unavailable';
  return error instanceof DatabaseError && !isFaultOfCalls(error);
}

/** Whether a server refused a write because it is read-only or a standby: nothing was written. */
export function isReadOnlyRefusal(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof DatabaseError && cause.code === '25006';
}

/**
 * Whether a running server refuses a new connection, for its credentials or lack of connections (SQLSTATE 28 and 53).
 * Open connections continue to work.
 */
export function isRefusedConnection(error: unknown): boolean {
  return error instanceof DatabaseError && /^(28|53)/u.test(error.code ?? '');
}

/** Whether the server may be gone or replaced: no connection, a lost one, or a read-only server. */
export function isFailureOfServer(error: unknown): boolean {
  if (!(error instanceof AppError) || error.code !== 'database_unavailable') return false;
  const { cause } = error;
  return !(cause instanceof DatabaseError) || /^(08|57P0|25006)/u.test(cause.code ?? '');
}

/** Converts a driver's failure to a refusal unless the request caused it; returns other errors unchanged. */
export function toAppError(error: unknown): unknown {
  switch (classifyFailure(error)) {
    case 'unavailable':
      return new AppError('database_unavailable', { cause: error });
    case 'cancelled':
      return new AppError('statement_timeout', { cause: error });
    case 'statement':
      return error;
  }
}

/**
 * The failure of a commit that was sent: `outcome_unknown` if the connection ended before an answer, so it may have
 * been written. Returns other errors unchanged.
 */
export function withOutcome(error: unknown): unknown {
  const cause = error instanceof AppError ? error.cause : error;
  if (cause instanceof DatabaseError) return isOfCommit(cause) ? new AppError('outcome_unknown', { cause }) : error;
  if (!(error instanceof AppError) || (cause instanceof Error && neverSentWords.test(cause.message))) return error;
  return new AppError('outcome_unknown', { cause });
}

/**
 * A pooler reports class 08 when it lost its server, and a server that panics may have written its WAL. The severity is
 * in the language of `lc_messages`; the source file is not.
 */
function isOfCommit({ code, severity, file }: DatabaseError): boolean {
  return code?.startsWith('08') === true || severity === 'PANIC' || file === 'xlog.c';
}

/** One line for an operator, without user input: PostgreSQL's message and code, or the socket's. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describeFailure(error.errors[0]);
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `${error.message}${error.message.includes(code.slice(2, -1)) ? '' : code}`;
}

/** Codes of OpenSSL and Node, and the driver's message about a server without TLS. */
const tlsSigns = /CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|ERR_TLS|does not support SSL/u;

/** Why a command cannot use a database, such as a wrong password or no connection; undefined for other errors. */
export function describeRefusal(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return `The database refuses: ${describeFailure(error)}`;
  const failure = describeFailure(error);
  const isOfConnection = classifyFailure(error) === 'unavailable' || tlsSigns.test(failure);
  return isOfConnection ? `No connection to the databases: ${failure}` : undefined;
}

/** The name of the unique constraint that a write violated; undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof DatabaseError && error.code === '23505' ? error.constraint : undefined;
}
