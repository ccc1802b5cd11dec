import { errorCodes, type ErrorCode, type InvalidField } from '@messenger/protocol/errors';

export interface AppErrorOptions extends ErrorOptions {
  /** A sentence for the client about this very case. Never a value that somebody typed. */
  readonly detail?: string;
  readonly errors?: readonly InvalidField[];
  /** One of a few words of which programs can choose, where the code alone does not say enough. */
  readonly reason?: string;
}

/** A refusal that a client is told about. Everything else that is thrown is a defect. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly errors: readonly InvalidField[] | undefined;
  readonly reason: string | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.detail ?? errorCodes[code].title, options);
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
    this.errors = options.errors;
    this.reason = options.reason;
  }
}

/** The refusal of one header, by the name that clients know. */
export function invalidHeader(field: string, message: string): AppError {
  return new AppError('invalid_request', { errors: [{ in: 'headers', field, message }] });
}
