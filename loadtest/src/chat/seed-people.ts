import { hash, randomBytes } from 'node:crypto';

import { Client } from 'pg';

import { UsageError } from '../usage-error.ts';
import type { Cast } from './people-file.ts';

/**
 * Accounts with one session each, whose passwords nobody has. Signing up by the API would take an hour for 2,000 people: it is limited per
 * address, and a password is dear to hash.
 */
const insertPeople = `
  with person as materialized (select uuidv7() as id, hash from unnest($1::text[]) as hash),
  new_user as (
    insert into users (id, first_name, last_name, has_account) select id, 'Load', 'Test', true from person
  ),
  new_account as (
    insert into accounts (user_id, username, password_hash, search_name, search_last_name)
    select id, 'load-' || right(replace(id::text, '-', ''), 24), '', 'load test', 'test' from person
  )
  insert into sessions (user_id, token_hash, expires_at, user_agent, address)
  select id, decode(hash, 'hex'), now() + interval '90 days', 'load test', '127.0.0.1' from person
  returning user_id, encode(token_hash, 'hex') as hash`;

const tokenBytes = 32;

/** Throws `UsageError` when the database cannot be reached or has other tables; the message does not contain its address. */
export async function seedPeople(databaseUrl: string, count: number): Promise<Cast['people']> {
  const tokens = new Map(
    Array.from({ length: count }, () => {
      const token = randomBytes(tokenBytes).toString('base64url');
      return [hash('sha256', token, 'hex'), token];
    }),
  );
  const client = new Client({ connectionString: databaseUrl });
  try {
    await client.connect();
    const { rows } = await client.query<{ user_id: string; hash: string }>(insertPeople, [[...tokens.keys()]]);
    return rows.map(({ user_id: userId, hash: digest }) => ({ userId, token: tokens.get(digest) ?? '' }));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw new UsageError(`The accounts of the test could not be created in the database${code}.`, { cause });
  } finally {
    await client.end().catch(() => undefined);
  }
}
