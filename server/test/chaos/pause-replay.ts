import { setTimeout as sleep } from 'node:timers/promises';

import type { Random } from './random.ts';

/** Pauses and resumes the replay of a standby at random, until the signal aborts. Resolves with the number of pauses; replay runs again. */
export async function pauseReplay(
  sql: (text: string) => Promise<unknown>,
  random: Random,
  over: AbortSignal,
): Promise<number> {
  let pauses = 0;
  while (!over.aborted) {
    await sql('select pg_wal_replay_pause()');
    pauses += 1;
    await sleep(random.between(5, 150), undefined, { signal: over }).catch(() => undefined);
    await sql('select pg_wal_replay_resume()');
    await sleep(random.between(20, 1_000), undefined, { signal: over }).catch(() => undefined);
  }
  return pauses;
}
