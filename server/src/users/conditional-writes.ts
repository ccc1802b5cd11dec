import type { User } from '@messenger/protocol/users';

import { deferred } from '../db/batch.ts';
import type { BatchableWrite } from '../db/batchable.ts';
import { statement, type Queryable } from '../db/statement.ts';
import type { Rename } from './merged-renames.ts';

/** A write that requires `updated_at` to be one of `versions`. Versions have the format of timestamps in answers. */
export interface Conditional {
  readonly id: string;
  readonly versions: readonly string[];
}

/** Nothing was written: the user is absent, or its version is not among those named. */
export type NotWritten = 'absent' | 'changed';

/** In a batch, rows locked by another transaction are skipped. A single call waits for its row. */
type Locking = 'skip locked' | '';

/**
 * `free` has the rows of the calls, locked, so that no other transaction changes them between comparison and write. `chosen` has, for each
 * row, the first call that names its version.
 */
function lockAndChoose(strength: 'update' | 'no key update', locking: Locking, given: string, columns: string): string {
  return `free as materialized (
     select id, updated_at from users where id = any($1::uuid[]) and not has_account for ${strength} ${locking}
   ), chosen as (
     select distinct on (given.id) given.*
       from unnest(${given}) with ordinality as given (${columns}, versions, place)
       join free on free.id = given.id
      where free.updated_at = any(string_to_array(given.versions, ' ')::timestamptz[])
      order by given.id, given.place
   )`;
}

/** Rows that were there when the statement began, and that another transaction had locked or deleted. */
const heldIds = `select id from users
    where id = any($1::uuid[]) and not has_account and id not in (select id from free)
      and (select count(*) from free) < cardinality($1::uuid[])`;

/** A row of the result. Other columns are null unless a call wrote it. */
interface Row {
  readonly id: string;
  /** Of the call that wrote it, from 1. */
  readonly place: number | null;
  readonly is_held: boolean;
}

/** The result of each call; `later` is the result of calls after the one that wrote the row. */
function settle<R extends Row, Call extends Conditional, Result>(
  rows: readonly R[],
  calls: readonly Call[],
  written: (row: R) => Result,
  later: (row: R, call: Call) => NotWritten | typeof deferred,
): (Result | NotWritten | typeof deferred)[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return calls.map((call, index) => {
    const row = byId.get(call.id);
    if (row === undefined) return 'absent';
    if (row.is_held) return deferred;
    if (row.place === null || index + 1 < row.place) return 'changed';
    return index + 1 === row.place ? written(row) : later(row, call);
  });
}

/** A kind of write with one form of its statement for single calls and one for batches. */
function inBothForms<Call extends Conditional, Result>(
  name: string,
  send: (db: Queryable, locking: Locking, calls: readonly Call[]) => Promise<(Result | typeof deferred)[]>,
): BatchableWrite<Call, Result> {
  return {
    name,
    keyOf: ({ id }) => id,
    one: async (db, call) => {
      const [result] = await send(db, '', [call]);
      if (result === undefined || result === deferred) throw new Error('a write alone was left out');
      return result;
    },
    many: async (db, calls) => send(db, 'skip locked', calls),
  };
}

export type ConditionalRename = Rename & Conditional;

type RenameValues = [
  ids: readonly string[],
  firstNames: readonly string[],
  lastNames: readonly string[],
  hasFirst: readonly boolean[],
  hasLast: readonly boolean[],
  versions: readonly string[],
];

/** No nulls for absent names: with `array_nulls = off`, a null in an array becomes the name `NULL`. */
const renameSql = (locking: Locking): string => `with ${lockAndChoose(
  'no key update',
  locking,
  '$1::uuid[], $2::text[], $3::text[], $4::bool[], $5::bool[], $6::text[]',
  'id, first_name, last_name, has_first, has_last',
)}, written as (
     update users
        set first_name = case when has_first then chosen.first_name else users.first_name end,
            last_name = case when has_last then chosen.last_name else users.last_name end,
            updated_at = greatest(now(), users.updated_at + interval '1 microsecond')
       from chosen where users.id = chosen.id
     returning chosen.place, users.id, users.first_name, users.last_name, users.created_at, users.updated_at
   )
   select free.id, place::int, false as is_held, first_name, last_name, created_at, written.updated_at
     from free left join written on written.id = free.id`;

const renameForms = {
  '': statement<User & Row, RenameValues>('users.update_if', renameSql('')),
  'skip locked': statement<User & Row, RenameValues>(
    'users.update_if_many',
    `${renameSql('skip locked')}
    union all
   select id, null, true, null, null, null, null from (${heldIds}) as held`,
  ),
} as const;

/** Calls after the one that wrote see the new version. A call that names the new version, too, is sent again. */
export const renameIf = inBothForms<ConditionalRename, User | NotWritten>(
  'users.update_if',
  async (db, locking, calls) => {
    const rows = await db.query(renameForms[locking], [
      calls.map(({ id }) => id),
      calls.map(({ names }) => names.first_name ?? ''),
      calls.map(({ names }) => names.last_name ?? ''),
      calls.map(({ names }) => names.first_name !== undefined),
      calls.map(({ names }) => names.last_name !== undefined),
      calls.map(({ versions }) => versions.join(' ')),
    ]);
    return settle(
      rows,
      calls,
      ({ id, first_name, last_name, created_at, updated_at }): User => ({
        id,
        first_name,
        last_name,
        created_at,
        updated_at,
      }),
      (row, { versions }) => (versions.includes(row.updated_at) ? deferred : 'changed'),
    );
  },
);

const deleteSql = (locking: Locking): string => `with ${lockAndChoose(
  'update',
  locking,
  '$1::uuid[], $2::text[]',
  'id',
)}, written as (
     delete from users using chosen where users.id = chosen.id returning chosen.place, users.id
   )
   select free.id, place::int, false as is_held from free left join written on written.id = free.id`;

type DeleteValues = [ids: readonly string[], versions: readonly string[]];

const deleteForms = {
  '': statement<Row, DeleteValues>('users.delete_if', deleteSql('')),
  'skip locked': statement<Row, DeleteValues>(
    'users.delete_if_many',
    `${deleteSql('skip locked')}
    union all
   select id, null, true from (${heldIds}) as held`,
  ),
} as const;

export const deleteIf = inBothForms<Conditional, 'deleted' | NotWritten>(
  'users.delete_if',
  async (db, locking, calls) =>
    settle(
      await db.query(deleteForms[locking], [
        calls.map(({ id }) => id),
        calls.map(({ versions }) => versions.join(' ')),
      ]),
      calls,
      () => 'deleted' as const,
      () => 'absent',
    ),
);
