import type { Lifetime } from './lifetime.ts';

/** Thrown by `withDeadline` at the deadline. */
class DeadlineError extends Error {
  constructor(timeoutMs: number) {
    super(`not complete within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

/** Whether an error is a time-out: by `withDeadline`, or by `AbortSignal.timeout`. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'DeadlineError' || error.name === 'TimeoutError');
}

/**
 * Awaits a promise with a deadline: rejects with `DeadlineError`, or with the signal's reason if it aborts. The work
 * behind the promise continues; its starter disposes of the result.
 */
export async function withDeadline<T>(work: Promise<T>, timeoutMs: number, signal?: Lifetime): Promise<T> {
  signal?.throwIfAborted();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal?.reason);
  const timer = setTimeout(() => reject(new DeadlineError(timeoutMs)), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
