import { setTimeout as sleep } from 'node:timers/promises';

/** Calls `ask` every `everyMs` until its result is not undefined, and returns it. Rejects when `signal` aborts. */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  options: { readonly everyMs: number; readonly signal: AbortSignal },
): Promise<T> {
  for (;;) {
    options.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(options.everyMs, undefined, { signal: options.signal });
  }
}

/** Like `poll` for a condition; false instead of an error after `timeoutMs`. */
export async function becomesTrue(ask: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await poll(async () => ((await ask()) ? true : undefined), { everyMs: 20, signal });
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** The parent's signal, which also aborts after `timeoutMs`. */
export function within(signal: AbortSignal, timeoutMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
}
