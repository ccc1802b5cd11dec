import type { Pool } from '../db/pool.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { sweepSize } from '../db/sweeper.ts';

/** The burst, and then one per `everySeconds`. */
export interface Bucket {
  readonly burst: number;
  readonly everySeconds: number;
}

interface Outcome {
  readonly taken: boolean;
  /** Seconds until there is a unit; 0 when a concurrent statement took the last one. */
  readonly wait_seconds: number;
}

/**
 * A leaky bucket in one row (the generic cell rate algorithm): `full_at` moves by one interval per unit. Refused attempts do not move it. The
 * row lock orders concurrent statements, so they never take more units than there are.
 */
const takeUnit = statement<Outcome, [key: string, everySeconds: number, roomSeconds: number]>(
  'throttles.take',
  `with taken as (
     insert into throttles as kept (key, full_at) values ($1, now() + $2::int * interval '1 second')
         on conflict (key) do update
        set full_at = greatest(kept.full_at, now()) + $2::int * interval '1 second'
      where kept.full_at <= now() + $3::int * interval '1 second'
     returning 1
   )
   select exists (select from taken) as taken,
          coalesce((select greatest(0, ceil(extract(epoch from full_at - now()) - $3::int))::int
                      from throttles where key = $1), 0) as wait_seconds`,
);

const returnUnit = statement<never, [key: string, everySeconds: number]>(
  'throttles.return',
  `update throttles set full_at = full_at - $2::int * interval '1 second' where key = $1`,
);

const clear = statement<never, [key: string]>('throttles.clear', 'delete from throttles where key = $1');

const sweep = statement<{ readonly removed: number }>(
  'throttles.sweep',
  `with gone as (
     delete from throttles where ctid = any (array (
       select ctid from throttles where full_at < now() limit ${sweepSize} for update skip locked
     )) returning 1
   )
   select count(*)::int as removed from gone`,
);

/** Removes rows of full buckets, which are equivalent to no row. */
export async function sweepThrottles(tx: Queryable): Promise<number> {
  return (await tx.query(sweep, []))[0]?.removed ?? 0;
}

/** Buckets that all workers and nodes share, in the primary. Rejects as `Pool` does. */
export class Throttles {
  readonly #pool: Pick<Pool<'write'>, 'query'>;

  constructor(pool: Pick<Pool<'write'>, 'query'>) {
    this.#pool = pool;
  }

  /** Takes a unit. Resolves with undefined, or with the seconds to wait when there is none; at least 1. */
  async take(key: string, { burst, everySeconds }: Bucket): Promise<number | undefined> {
    const [row] = await this.#pool.query(takeUnit, [key, everySeconds, (burst - 1) * everySeconds]);
    if (row === undefined) throw new Error('a throttle returned no row');
    return row.taken ? undefined : Math.max(1, row.wait_seconds);
  }

  async giveBack(key: string, { everySeconds }: Bucket): Promise<void> {
    await this.#pool.query(returnUnit, [key, everySeconds]);
  }

  async clear(key: string): Promise<void> {
    await this.#pool.query(clear, [key]);
  }
}
