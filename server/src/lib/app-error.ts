import { errorCodes, type ErrorCode } from '@messenger/protocol/errors';
import type { InvalidField } from '@messenger/protocol/problem';

export interface AppErrorOptions extends ErrorOptions {
  /** A sentence for the client about this case. Never contains user input. */
  readonly detail?: string;
  readonly errors?: readonly InvalidField[];
  /** A machine-readable refinement of the code, from a short list. */
  readonly reason?: string;
  /** When the client may try again; for refusals with 429. */
  readonly retryAfterSeconds?: number;
}

/** A refusal that is reported to the client. Any other exception is a defect. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly errors: readonly InvalidField[] | undefined;
  readonly reason: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.detail ?? errorCodes[code].title, options);
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
    this.errors = options.errors;
    this.reason = options.reason;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The refusal of one header, by the name that clients know. */
export function invalidHeader(field: string, message: string): AppError {
  return new AppError('invalid_request', { errors: [{ in: 'headers', field, message }] });
}

/** The refusal of one query parameter. */
export function invalidQuery(field: string, message: string): AppError {
  return new AppError('invalid_request', { errors: [{ in: 'query', field, message }] });
}

/** The refusal of one field of a body. */
export function invalidBody(field: string, message: string): AppError {
  return new AppError('invalid_request', { errors: [{ in: 'body', field, message }] });
}
