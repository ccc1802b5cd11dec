import { createToken, hashToken } from '../../src/accounts/session-token.ts';
import type { System } from './system.ts';

/** Inserts people with a session each, who are members of all of these groups. Resolves with their tokens and the ids of the groups. */
export async function insertPeople(
  system: System,
  people: number,
  groups: number,
): Promise<{ readonly tokens: readonly string[]; readonly groups: readonly string[] }> {
  const tokens = Array.from({ length: people }, createToken);
  await system.sql(
    'write',
    `with given as (select uuidv7() as id, decode(hash, 'hex') as hash from unnest($1::text[]) as g (hash)),
       u as (insert into users (id, first_name, last_name, has_account) select id, 'a', 'b', true from given),
       a as (
         insert into accounts (user_id, username, password_hash, search_name, search_last_name)
         select id, 'u' || substr(md5(id::text), 1, 12), '', 'a b', 'b' from given returning user_id
       ), c as (
         insert into conversations (kind, title, member_count) select 'group', 't', $2 from generate_series(1, $3) returning id
       ), m as (
         insert into members (conversation_id, user_id, role, listed_at, changed_seq)
         select c.id, g.id, 'member', date_bin('1 hour', now(), 'epoch'), 0 from c cross join given g
       )
       insert into sessions (user_id, token_hash, expires_at, user_agent, address)
       select g.id, hash, now() + interval '1 day', '', '' from given g join a on user_id = g.id`,
    [tokens.map(hashToken), people, groups],
  );
  const rows = await system.sql<{ id: string }>('write', 'select id from conversations');
  await system.replicated();
  return { tokens, groups: rows.map(({ id }) => id) };
}
