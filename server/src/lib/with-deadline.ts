import type { Lifetime } from './lifetime.ts';

/** Thrown by `withDeadline` when the time is over. */
class DeadlineError extends Error {
  constructor(timeoutMs: number) {
    super(`not done within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

/** Whether something failed only because it took too long: by `withDeadline`, or by `AbortSignal.timeout`. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'DeadlineError' || error.name === 'TimeoutError');
}

/**
 * Waits for a promise, but not for ever: rejects with `DeadlineError`, or with the signal's reason when that aborts.
 * The work behind the promise goes on; whoever started it disposes of what it brings.
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
