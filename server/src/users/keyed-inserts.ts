import { idempotencyKeyHours } from '@messenger/protocol/limits';
import type { User, UserNames } from '@messenger/protocol/users';

import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { sweepSize } from '../db/sweeper.ts';

/** A user to be created once for each key. */
export interface KeyedInsert {
  readonly key: string;
  readonly names: UserNames;
  /** A hash of the names. */
  readonly fingerprint: string;
}

/** The user as the first call with the key created it. `isRepeat` is true for all later calls. */
export interface KeyedUser {
  readonly user: User;
  readonly isRepeat: boolean;
}

interface KeptKey {
  readonly key: string;
  readonly fingerprint: string;
  readonly id: string;
  readonly created_at: string;
  readonly is_new: boolean;
}

const expired = `created_at < now() - interval '${idempotencyKeyHours} hours'`;

/**
 * Keys are inserted in sorted order: two statements with the same keys wait for each other and never deadlock. `do update` also returns a
 * key that was committed after the snapshot; `do nothing` returns none.
 */
const insertKeyed = statement<
  KeptKey,
  [
    keys: readonly string[],
    fingerprints: readonly string[],
    firstNames: readonly string[],
    lastNames: readonly string[],
  ]
>(
  'users.insert_keyed',
  `with given as materialized (
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
       as given (key, fingerprint, first_name, last_name)
   ), kept as (
     insert into idempotency_keys as kept (key, fingerprint, user_id)
     select key, fingerprint, uuidv7() from given order by key collate "C"
         on conflict (key) do update
        set fingerprint = case when kept.${expired} then excluded.fingerprint else kept.fingerprint end,
            user_id = case when kept.${expired} then excluded.user_id else kept.user_id end,
            created_at = case when kept.${expired} then excluded.created_at else kept.created_at end
     returning key, fingerprint, user_id, created_at, new.user_id is distinct from old.user_id as is_new
   ), made as (
     insert into users (id, first_name, last_name, created_at, updated_at)
     select user_id, first_name, last_name, created_at, created_at from kept join given using (key) where is_new
   )
   select key, fingerprint, user_id as id, created_at, is_new from kept`,
);

const sweep = statement<{ readonly removed: number }>(
  'users.sweep_keys',
  `with gone as (
     delete from idempotency_keys where key = any (array (
       select key from idempotency_keys where ${expired} order by created_at limit ${sweepSize} for update skip locked
     )) returning 1
   )
   select count(*)::int as removed from gone`,
);

/** Removes expired keys. */
export async function sweepKeys(tx: Queryable): Promise<number> {
  return (await tx.query(sweep, []))[0]?.removed ?? 0;
}

/** Of the calls with one key, only the first is sent. */
async function insertAll(db: Queryable, calls: readonly KeyedInsert[]): Promise<(KeyedUser | 'reused')[]> {
  const firsts = new Map(calls.toReversed().map((call) => [call.key, call]));
  const given = [...firsts.values()];
  const rows = await db.query(insertKeyed, [
    given.map(({ key }) => key),
    given.map(({ fingerprint }) => fingerprint),
    given.map(({ names }) => names.first_name),
    given.map(({ names }) => names.last_name),
  ]);
  const kept = new Map(rows.map((row) => [row.key, row]));
  return calls.map((call) => {
    const row = kept.get(call.key);
    if (row === undefined) throw new Error('a key was neither kept nor found');
    if (row.fingerprint !== call.fingerprint) return 'reused';
    const { id, created_at: createdAt, is_new: isNew } = row;
    const user = { id, ...call.names, created_at: createdAt, updated_at: createdAt };
    return { user, isRepeat: !isNew || firsts.get(call.key) !== call };
  });
}

export const insertOnce: BatchableWrite<KeyedInsert, KeyedUser | 'reused'> = {
  name: 'users.insert_keyed',
  keyOf: ({ key }) => `key ${key}`,
  one: async (db, call) => {
    const [result] = await insertAll(db, [call]);
    if (result === undefined) throw new Error('an insert returned no row');
    return result;
  },
  many: insertAll,
};
