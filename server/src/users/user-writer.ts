import type { User, UserNames, UserNamesPatch } from '@messenger/protocol/users';

import type { Pool } from '../db/pool.ts';
import { statement } from '../db/statement.ts';

const insert = statement<User, [firstName: string, lastName: string]>(
  'users.insert',
  `insert into users (first_name, last_name) values ($1, $2)
   returning id, first_name, last_name, created_at, updated_at`,
);

/** `updated_at` always moves forward, also when two updates fall into one microsecond or the clock is set back. */
const update = statement<User, [id: string, firstName: string | undefined, lastName: string | undefined]>(
  'users.update',
  `update users
      set first_name = coalesce($2, first_name),
          last_name = coalesce($3, last_name),
          updated_at = greatest(now(), updated_at + interval '1 microsecond')
    where id = $1
   returning id, first_name, last_name, created_at, updated_at`,
);

const remove = statement<{ id: string }, [id: string]>('users.delete', 'delete from users where id = $1 returning id');

/** Writes users; each call is one statement. Can only be built from a pool to the primary. */
export class UserWriter {
  readonly #db: Pool<'write'>;

  constructor(db: Pool<'write'>) {
    this.#db = db;
  }

  async insert(names: UserNames, signal: AbortSignal): Promise<User> {
    const [user] = await this.#db.query(insert, [names.first_name, names.last_name], signal);
    if (user === undefined) throw new Error('an insert returned no row');
    return user;
  }

  /** Names that are absent stay. Resolves with the user as it is now, or undefined when there is none. */
  async update(id: string, names: UserNamesPatch, signal: AbortSignal): Promise<User | undefined> {
    const [user] = await this.#db.query(update, [id, names.first_name, names.last_name], signal);
    return user;
  }

  /** Resolves with whether there was such a user. */
  async delete(id: string, signal: AbortSignal): Promise<boolean> {
    const deleted = await this.#db.query(remove, [id], signal);
    return deleted.length > 0;
  }
}
