import type { Lifetime } from '../src/lib/lifetime.ts';

/** For what takes signals only. */
export function signalOf(lifetime: Lifetime): AbortSignal {
  const controller = new AbortController();
  lifetime.addEventListener('abort', () => controller.abort(lifetime.reason));
  return controller.signal;
}
