import { DatabaseError } from 'pg';

import { AppError } from '../lib/app-error.ts';

/**
 * What a failed statement means to the caller. SQLSTATE classes: PostgreSQL manual, appendix A.
 * 08 connection, 53 insufficient resources, 57P* shutdown, crash, starting up, 25P03 an idle transaction that the server
 * ended; 25006 a write that met a server which has become read-only; 40001 on a standby is a conflict with replay, and there
 * is nothing wrong with the request. 57014, 55P03 and 25P04 end a statement for its time: by its deadline, by that for a
 * lock, by that of its transaction.
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

/** `pg` gives its own errors about a connection no code, only these words. */
const connectionWords =
  /^(connection terminated|timeout expired|timeout exceeded|client has encountered a connection error|client was closed)/iu;

/** What `pg` says of a connection that had ended before: the statement never left. */
const neverSentWords = /^client (has encountered a connection error|was closed)/iu;

const unavailableStates = /^(08|53|57P0[1235]|25006|25P03|40001)/u;

const cancelledStates = /^(57014|55P03|25P04)$/u;

export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof DatabaseError) {
    if (cancelledStates.test(error.code ?? '')) return 'cancelled';
    return unavailableStates.test(error.code ?? '') ? 'unavailable' : 'statement';
  }
  if (!(error instanceof Error)) return 'statement';
  if ('code' in error && typeof error.code === 'string' && socketErrors.has(error.code)) return 'unavailable';
  return connectionWords.test(error.message) ? 'unavailable' : 'statement';
}

/** 22 data, 23 constraints, 44 check option, 54 too large, P0 what a trigger raises. */
const statesOfCalls = /^(22|23|44|54|P0)/u;

/** A batch needs more temporary files than `temp_file_limit` allows; a part of it may not. */
const tooLargeTogether = '53400';

/** Whether it was what the statement was given that made it fail: a part of its calls may succeed here. */
export function isFaultOfCalls(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error;
  if (!(cause instanceof DatabaseError)) return false;
  return cause.code === tooLargeTogether || statesOfCalls.test(cause.code ?? '');
}

/** Whether another server may do what this one, a standby, has failed to do. What is late here would be later there. */
export function isFaultOfStandby(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'database_unavailable';
  return error instanceof DatabaseError && !isFaultOfCalls(error);
}

/** Whether a server refused to write because it is read-only or a standby: nothing was written. */
export function isReadOnlyRefusal(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof DatabaseError && cause.code === '25006';
}

/**
 * Whether a server that answers refuses a new connection, for its credentials or for want of room (SQLSTATE 28 and 53). Its open
 * connections go on.
 */
export function isRefusedConnection(error: unknown): boolean {
  return error instanceof DatabaseError && /^(28|53)/u.test(error.code ?? '');
}

/** What says that the server may be gone or another one: no connection, the end of one, or that it is read-only. */
export function isFailureOfServer(error: unknown): boolean {
  if (!(error instanceof AppError) || error.code !== 'database_unavailable') return false;
  const { cause } = error;
  return !(cause instanceof DatabaseError) || /^(08|57P0|25006)/u.test(cause.code ?? '');
}

/** Turns a failure of the driver into a refusal where the request is not to blame; other errors stay what they are. */
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
 * How something that commits has failed, once it was sent: with `outcome_unknown` when nobody said that nothing was
 * written, because the connection ended before an answer came. Other errors stay what they are.
 */
export function withOutcome(error: unknown): unknown {
  const cause = error instanceof AppError ? error.cause : error;
  if (cause instanceof DatabaseError) return isOfCommit(cause) ? new AppError('outcome_unknown', { cause }) : error;
  if (!(error instanceof AppError) || (cause instanceof Error && neverSentWords.test(cause.message))) return error;
  return new AppError('outcome_unknown', { cause });
}

/**
 * A pooler says 08 when it lost the server behind it, and a server that panics may have been writing its log. The severity
 * comes in the language of `lc_messages`; the source file does not.
 */
function isOfCommit({ code, severity, file }: DatabaseError): boolean {
  return code?.startsWith('08') === true || severity === 'PANIC' || file === 'xlog.c';
}

/** One line for an operator, without what users typed: PostgreSQL's message and code, or the socket's. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describeFailure(error.errors[0]);
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `${error.message}${error.message.includes(code.slice(2, -1)) ? '' : code}`;
}

/** Codes of OpenSSL and Node, and what the driver says of a server without TLS. */
const tlsSigns = /CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|ERR_TLS|does not support SSL/u;

/** Why a command has no use of a database, such as a wrong password or no connection; undefined for other errors. */
export function describeRefusal(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return `The database refuses: ${describeFailure(error)}`;
  const failure = describeFailure(error);
  const isOfConnection = classifyFailure(error) === 'unavailable' || tlsSigns.test(failure);
  return isOfConnection ? `No connection to the databases: ${failure}` : undefined;
}
