import type { Lifetime } from '../src/lib/lifetime.ts';

/** For APIs that accept only signals. */
export function signalOf(lifetime: Lifetime): AbortSignal {
  const controller = new AbortController();
  lifetime.addEventListener('abort', () => controller.abort(lifetime.reason));
  return controller.signal;
}
