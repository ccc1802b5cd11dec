import type { BatchableRead } from './batchable.ts';

/** A read that is too rare for batching: each call is a separate statement. */
export function unbatched<Call, Result>(
  read: Omit<BatchableRead<Call, Result>, 'many' | 'maxSize'>,
): BatchableRead<Call, Result> {
  const many = async (): Promise<never> => {
    throw new Error(`${read.name} has batches of one call`);
  };
  return { ...read, maxSize: 1, many };
}
