import type { User, UserNames } from '@messenger/protocol/users';

import { deferred } from '../db/batch.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement } from '../db/statement.ts';
import type { Write, Writes } from '../db/writes.ts';
import { deleteIf, renameIf, type Conditional, type ConditionalRename, type NotWritten } from './conditional-writes.ts';
import { insertOnce, type KeyedInsert, type KeyedUser } from './keyed-inserts.ts';
import { mergeRenames, userAfter, type Rename } from './merged-renames.ts';

const insertOne = statement<User, [firstName: string, lastName: string]>(
  'users.insert',
  `insert into users (first_name, last_name) values ($1, $2)
   returning id, first_name, last_name, created_at, updated_at`,
);

/** `place` is that of the input row, from 1: `merge` can return it with each user, `insert` cannot. */
const insertMany = statement<
  User & { readonly place: number },
  [firstNames: readonly string[], lastNames: readonly string[]]
>(
  'users.insert_many',
  `merge into users
   using unnest($1::text[], $2::text[]) with ordinality as given (first_name, last_name, place) on false
    when not matched then insert (first_name, last_name) values (given.first_name, given.last_name)
   returning given.place::int, users.id, users.first_name, users.last_name, users.created_at, users.updated_at`,
);

const insert: BatchableWrite<UserNames, User> = {
  name: 'users.insert',
  one: async (db, names) => {
    const [user] = await db.query(insertOne, [names.first_name, names.last_name]);
    if (user === undefined) throw new Error('an insert returned no row');
    return user;
  },
  many: async (db, calls) => {
    const rows = await db.query(insertMany, [
      calls.map((names) => names.first_name),
      calls.map((names) => names.last_name),
    ]);
    // The order of rows in the result is not guaranteed.
    const users: User[] = [];
    for (const { place, ...user } of rows) users[place - 1] = user;
    return users;
  },
};

interface DeletedRow {
  readonly id: string;
}

type Name = string | undefined;

/** `updated_at` always increases, also when two updates share a microsecond or the clock is set back. */
const newNames = `first_name = coalesce($2, first_name),
            last_name = coalesce($3, last_name),
            updated_at = greatest(now(), updated_at + interval '1 microsecond')`;

const updateOne = statement<User, [id: string, firstName: Name, lastName: Name]>(
  'users.update',
  `update users
      set ${newNames}
    where id = $1 and not has_account
   returning id, first_name, last_name, created_at, updated_at`,
);

/** A row of a batch: written, or locked by another transaction (`is_held`). */
type Outcome<Row> = Row & { readonly is_held: boolean };

function byId<Row extends DeletedRow>(rows: readonly Outcome<Row>[]): Map<string, Outcome<Row>> {
  return new Map(rows.map((row) => [row.id, row]));
}

/** The same for a single call. It reads the parameters once more and joins nothing: half the time of a batch of one. */
const updateFree = statement<Outcome<User>, [id: string, firstName: Name, lastName: Name]>(
  'users.update_free',
  `with written as (
     update users
        set ${newNames}
      where id = (select id from users where id = $1 and not has_account for no key update skip locked)
     returning id, first_name, last_name, created_at, updated_at
   )
   select id, first_name, last_name, created_at, updated_at, false as is_held from written
    union all
   select id, first_name, last_name, created_at, updated_at, true from users
    where id = $1 and not has_account and not exists (select from written)`,
);

/**
 * Rows of the statement's snapshot that are not in `written`. The last condition skips this scan when no row is missing.
 */
function heldRows(columns: string): string {
  return `select ${columns}, true from users
     where id = any($1::uuid[]) and not has_account and id not in (select id from written)
       and (select count(*) from written) < cardinality($1::uuid[])`;
}

/**
 * Returns the names before the update and the timestamps after it. `counts` has the number of renames merged into each row of the arrays. No
 * nulls for absent names: with `array_nulls = off`, a null in an array becomes the name `NULL`.
 */
const updateMany = statement<
  Outcome<User>,
  [
    ids: readonly string[],
    firstNames: readonly string[],
    lastNames: readonly string[],
    hasFirst: readonly boolean[],
    hasLast: readonly boolean[],
    counts: readonly number[],
  ]
>(
  'users.update_many',
  `with written as (
     update users
        set first_name = case when has_first then given.first_name else users.first_name end,
            last_name = case when has_last then given.last_name else users.last_name end,
            updated_at = greatest(now(), users.updated_at + interval '1 microsecond') + (count - 1) * interval '1 microsecond'
       from unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::bool[], $6::int[])
            as given (id, first_name, last_name, has_first, has_last, count)
      where users.id = given.id
        and users.id = any(array(
          select id from users where id = any($1::uuid[]) and not has_account for no key update skip locked
        ))
     returning users.id, old.first_name, old.last_name, users.created_at, users.updated_at
   )
   select id, first_name, last_name, created_at, updated_at, false as is_held from written
    union all
   ${heldRows('id, first_name, last_name, created_at, updated_at')}`,
);

const update: BatchableWrite<Rename, User | undefined> = {
  name: 'users.update',
  keyOf: ({ id }) => id,
  one: async (db, { id, names }) => (await db.query(updateOne, [id, names.first_name, names.last_name]))[0],
  alone: async (db, { id, names }) => {
    const [outcome] = await db.query(updateFree, [id, names.first_name, names.last_name]);
    if (outcome === undefined || outcome.is_held) return outcome && deferred;
    const { is_held: _, ...user } = outcome;
    return user;
  },
  many: async (db, calls) => {
    const merged = mergeRenames(calls);
    const rows = await db.query(updateMany, [
      merged.map(({ id }) => id),
      merged.map(({ names }) => names.first_name ?? ''),
      merged.map(({ names }) => names.last_name ?? ''),
      merged.map(({ names }) => names.first_name !== undefined),
      merged.map(({ names }) => names.last_name !== undefined),
      merged.map(({ count }) => count),
    ]);
    const befores: Map<string, User & { readonly is_held?: boolean }> = byId(rows);
    const later = new Map(merged.map(({ id, count }) => [id, count]));
    return calls.map(({ id, names }) => {
      const before = befores.get(id);
      if (before === undefined || before.is_held === true) return before && deferred;
      const left = (later.get(id) ?? 1) - 1;
      const user = userAfter(before, names, left);
      later.set(id, left);
      if (left > 0) befores.set(id, { ...user, updated_at: before.updated_at });
      return user;
    });
  },
};

const removeOne = statement<DeletedRow, [id: string]>(
  'users.delete',
  'delete from users where id = $1 and not has_account returning id',
);

const removeFree = statement<Outcome<DeletedRow>, [id: string]>(
  'users.delete_free',
  `with written as (
     delete from users where id = (select id from users where id = $1 and not has_account for update skip locked) returning id
   )
   select id, false as is_held from written
    union all
   select id, true from users where id = $1 and not has_account and not exists (select from written)`,
);

const removeMany = statement<Outcome<DeletedRow>, [ids: readonly string[]]>(
  'users.delete_many',
  `with written as (
     delete from users
      where id = any(array(select id from users where id = any($1::uuid[]) and not has_account for update skip locked))
     returning id
   )
   select id, false as is_held from written
    union all
   ${heldRows('id')}`,
);

const remove: BatchableWrite<string, boolean> = {
  name: 'users.delete',
  keyOf: (id) => id,
  one: async (db, id) => (await db.query(removeOne, [id])).length > 0,
  alone: async (db, id) => {
    const [outcome] = await db.query(removeFree, [id]);
    return outcome?.is_held === true ? deferred : outcome !== undefined;
  },
  many: async (db, ids) => {
    const outcomes = byId(await db.query(removeMany, [[...new Set(ids)]]));
    return ids.map((id) => {
      const outcome = outcomes.get(id);
      if (outcome?.is_held === true) return deferred;
      outcomes.delete(id); // A second delete of the same user finds none.
      return outcome !== undefined;
    });
  },
};

/** Writes users without an account, on the primary; a user with an account counts as absent. Rejects as `Writes` does. */
export class UserWriter {
  readonly insert: Write<UserNames, User>;
  readonly insertOnce: Write<KeyedInsert, KeyedUser | 'reused'>;
  /** Resolves with the updated user, or undefined when there is none. */
  readonly update: Write<Rename, User | undefined>;
  readonly updateIf: Write<ConditionalRename, User | NotWritten>;
  /** Resolves with whether the user existed. */
  readonly delete: Write<string, boolean>;
  readonly deleteIf: Write<Conditional, 'deleted' | NotWritten>;

  constructor(writes: Writes) {
    this.insert = writes.prepare(insert);
    this.insertOnce = writes.prepare(insertOnce);
    this.update = writes.prepare(update);
    this.updateIf = writes.prepare(renameIf);
    this.delete = writes.prepare(remove);
    this.deleteIf = writes.prepare(deleteIf);
  }
}
