import { randomUUIDv7 } from 'node:crypto';

import { usernamePattern, type Member, type Role } from '@messenger/protocol/accounts';

import type { Caller } from '../db/caller.ts';
import type { Pool } from '../db/pool.ts';
import { SeparateWrites } from '../db/separate-writes.ts';
import { statement } from '../db/statement.ts';
import { foldUsername } from '../lib/fold-username.ts';
import { LightLifetime } from '../lib/lifetime.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { AccountWriter, insert } from './account-writer.ts';
import { memberColumns, toMember, type MemberRow } from './member-rows.ts';
import { createHasher } from './password-hasher.ts';
import { checkPassword } from './passwords.ts';

interface Found {
  readonly id: string;
  readonly password_hash: string;
}

const findByName = statement<Found, [username: string]>(
  'accounts.find_by_name',
  'select user_id as id, password_hash from accounts where username = $1',
);

const listAll = statement<MemberRow>(
  'accounts.list_all',
  `select ${memberColumns} from accounts as a join users as u on u.id = a.user_id order by a.username`,
);

export interface WantedAccount {
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly role: Role;
  readonly password: string;
}

/** Writes of the command line come from no account and no address. */
const byOperator = { actorId: undefined, address: undefined } as const;

const username = new RegExp(usernamePattern, 'u');

/**
 * Accounts for the operator on the command line, who needs no session: everything goes to the primary. Running servers apply a change within
 * a second, when their workers look up the sessions again. Rejects with `OperatorError`, and as `Pool` does.
 */
export class OperatorAccounts {
  readonly #pool: Pool<'write'>;
  readonly #writer: AccountWriter;
  readonly #hasher = createHasher();

  constructor(pool: Pool<'write'>) {
    this.#pool = pool;
    this.#writer = new AccountWriter(new SeparateWrites(pool, { maxAtOnce: 1, maxWaiting: 1, maxWaitMs: 5_000 }));
  }

  async create(wanted: WantedAccount): Promise<Member> {
    const name = foldUsername(wanted.username);
    if (!username.test(name)) throw new OperatorError(`${wanted.username} is not a valid username.`);
    const passwordHash = await this.#hash(wanted.password, name);
    const account = { ...wanted, ...byOperator, id: randomUUIDv7(), username: name, passwordHash };
    const made = await this.#pool.transaction(async (tx) => insert(tx, account));
    if (made === undefined) throw new OperatorError(`There already is an account named ${name}.`);
    return made;
  }

  /** Ends all sessions of the account. */
  async setPassword(name: string, password: string): Promise<void> {
    const { id, password_hash: oldHash } = await this.#find(name);
    const newHash = await this.#hash(password, foldUsername(name));
    const change = { id, oldHash, newHash, kept: undefined, ...byOperator };
    if (!(await this.#writer.changePassword(change, nobody())))
      throw new OperatorError('The password was changed by somebody else at the same moment. Try again.');
  }

  async setRole(name: string, role: Role): Promise<Member> {
    return await this.#changeRights(name, { role, disabled: undefined });
  }

  /** Disabling ends all sessions of the account. */
  async setDisabled(name: string, disabled: boolean): Promise<Member> {
    return await this.#changeRights(name, { role: undefined, disabled });
  }

  /** By username. */
  async list(): Promise<Member[]> {
    return (await this.#pool.query(listAll, [])).map(toMember);
  }

  async #changeRights(
    name: string,
    rights: { role: Role | undefined; disabled: boolean | undefined },
  ): Promise<Member> {
    const { id } = await this.#find(name);
    const outcome = await this.#writer.changeRights({ id, ...rights, ...byOperator }, nobody());
    if (outcome === 'absent') throw absent(name);
    if (outcome === 'last_administrator')
      throw new OperatorError(`${name} is the last administrator. Make another account an administrator first.`);
    return outcome;
  }

  async #find(name: string): Promise<Found> {
    const [found] = await this.#pool.query(findByName, [foldUsername(name)]);
    if (found === undefined) throw absent(name);
    return found;
  }

  async #hash(password: string, name: string): Promise<string> {
    const problem = checkPassword(password, name);
    if (problem !== undefined) throw new OperatorError(`The password ${problem}.`);
    return await this.#hasher.hash(password);
  }
}

function absent(name: string): OperatorError {
  return new OperatorError(`There is no account named ${name}. \`messenger account list\` shows all.`);
}

function nobody(): Caller {
  return { lifetime: new LightLifetime(), token: undefined, seen: undefined };
}
