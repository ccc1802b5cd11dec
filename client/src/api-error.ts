import type { Problem } from './api.ts';

/** Codes of this client, beside those of the server. */
export type ClientErrorCode = 'connection_failed' | 'connection_lost' | 'timed_out' | 'invalid_answer' | 'stopped';

/** A call that failed: refused by the server, or without an answer. Programs should switch on `code`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  /** What the server said; undefined without an answer. */
  readonly problem: Problem | undefined;
  /** How long the server wants no repetition. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail ?? problem.title);
    this.code = problem.code;
    this.status = problem.status;
    this.problem = problem.request_id === '' ? undefined : problem;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same call can succeed later. A write without an answer may have happened. */
  get isTransient(): boolean {
    return this.status === 0 ? this.code !== 'stopped' : transientStatuses.has(this.status);
  }
}

const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** An error without an answer of the server. */
export function noAnswer(code: ClientErrorCode, title: string): ApiError {
  return new ApiError({ type: `urn:messenger:client:${code}`, title, status: 0, code, request_id: '' });
}

export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : noAnswer('connection_failed', error instanceof Error ? error.message : String(error));
}
