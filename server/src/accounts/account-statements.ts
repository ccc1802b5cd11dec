import type { Role } from '@messenger/protocol/accounts';

import { folded } from '../db/folded.ts';
import { statement } from '../db/statement.ts';
import { auditEvent } from './audit-events.ts';
import { memberColumns, type MemberRow } from './member-rows.ts';

type Text = string | undefined;

/** A list of versions, separated by spaces; null for any. */
const isAccepted = (versions: string): string =>
  `(${versions}::text is null or updated_at = any (string_to_array(${versions}, ' ')::timestamptz[]))`;

/**
 * A username in use inserts nothing. `first_account` takes one row: of two sign-ups at the same moment, the second waits for the commit of
 * the first, and then inserts none.
 */
export const insertAccount = statement<
  MemberRow,
  [
    id: string,
    username: string,
    passwordHash: string,
    firstName: string,
    lastName: string,
    role: Role,
    actor: Text,
    address: Text,
  ]
>(
  'accounts.insert',
  `with first as (
     insert into first_account default values on conflict do nothing returning only_row
   ), a as (
     insert into accounts (user_id, username, password_hash, role, search_name, search_last_name)
     select $1::uuid, $2, $3, case when exists (select from first) then 'admin' else $6 end,
            ${folded("$4::text || ' ' || $5::text")}, ${folded('$5::text')}
         on conflict (username) do nothing
     returning user_id, username, role, disabled_at, reads_private, presence_private, created_at
   ), u as (
     insert into users (id, first_name, last_name, has_account, created_at, updated_at)
     select user_id, $4, $5, true, created_at, created_at from a
     returning id, first_name, last_name, created_at, updated_at
   ), noted as (
     ${auditEvent('account_created', { userId: 'user_id', actor: 'coalesce($7::uuid, case when $8::text is not null then user_id end)', address: '$8', details: "jsonb_build_object('role', role)" })}
       from a
   )
   select ${memberColumns} from a join u on u.id = a.user_id`,
);

export const lockAccount = statement<never, [id: string]>(
  'accounts.lock',
  'select user_id from accounts where user_id = $1 for update',
);

/** Locks an account and all administrators: whether one is the last is then known. In one order, so that two calls cannot deadlock. */
export const lockWithAdmins = statement<never, [id: string]>(
  'accounts.lock_with_admins',
  `select user_id from accounts where user_id = $1 or (role = 'admin' and disabled_at is null) order by user_id for update`,
);

/** Of `accounts`, locked by `lockWithAdmins`. */
const isLastAdmin = `role = 'admin' and disabled_at is null
              and not exists (select from accounts where role = 'admin' and disabled_at is null and user_id <> $1)`;

/** Columns are null when nothing was changed. */
export const changeRights = statement<
  MemberRow & { readonly is_last_admin: boolean },
  [id: string, role: Role | undefined, disabled: boolean | undefined, actor: Text, address: Text]
>(
  'accounts.change_rights',
  `with found as (
     select user_id, role as old_role, disabled_at as old_disabled_at,
            (coalesce($2, role) <> 'admin' or coalesce($3, false)) and ${isLastAdmin} as is_last_admin
       from accounts where user_id = $1
   ), a as (
     update accounts
        set role = coalesce($2, role),
            disabled_at = case when $3 then coalesce(disabled_at, now()) when not $3 then null else disabled_at end
      where user_id = (select user_id from found where not is_last_admin)
     returning user_id, username, role, disabled_at, reads_private, presence_private, created_at
   ), ended as (
     delete from sessions where user_id = (select user_id from a where disabled_at is not null)
   ), role_noted as (
     ${auditEvent('role_changed', { userId: 'user_id', actor: '$4::uuid', address: '$5', details: "jsonb_build_object('from', old_role, 'to', role)" })}
       from a join found using (user_id) where old_role <> role
   ), state_noted as (
     ${auditEvent("case when disabled_at is null then 'account_enabled' else 'account_disabled' end", { userId: 'user_id', actor: '$4::uuid', address: '$5' })}
       from a join found using (user_id) where (old_disabled_at is null) <> (disabled_at is null)
   )
   select ${memberColumns}, is_last_admin
     from found join users as u on u.id = found.user_id
     left join a on a.user_id = found.user_id`,
);

/** Columns are null when nothing was changed. */
export const renameAccount = statement<
  MemberRow & { readonly is_changed: boolean },
  [
    id: string,
    firstName: Text,
    lastName: Text,
    username: Text,
    versions: Text,
    actor: Text,
    address: Text,
    readsPrivate: boolean | undefined,
    presencePrivate: boolean | undefined,
  ]
>(
  'accounts.rename',
  `with u as (
     update users
        set first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
            updated_at = greatest(now(), updated_at + interval '1 microsecond')
      where id = $1 and has_account and ${isAccepted('$5')}
     returning id, first_name, last_name, created_at, updated_at
   ), a as (
     update accounts
        set username = coalesce($4, username), search_name = ${folded("u.first_name || ' ' || u.last_name")},
            search_last_name = ${folded('u.last_name')}, reads_private = coalesce($8, reads_private),
            presence_private = coalesce($9, presence_private)
       from u where user_id = u.id
     returning user_id, new.username, role, disabled_at, reads_private, presence_private, accounts.created_at, old.username as old_username
   ), noted as (
     ${auditEvent('username_changed', { userId: 'user_id', actor: '$6::uuid', address: '$7' })}
       from a where old_username <> username
   )
   select ${memberColumns}, u.id is not null as is_changed
     from users as found left join u on u.id = found.id left join a on a.user_id = found.id
    where found.id = $1 and found.has_account`,
);

export const changePassword = statement<
  { readonly user_id: string },
  [id: string, oldHash: string, newHash: string, keptSession: Text, newTokenHash: Text, actor: Text, address: Text]
>(
  'accounts.change_password',
  `with a as (
     update accounts set password_hash = $3 where user_id = $1 and password_hash = $2 returning user_id
   ), ended as (
     delete from sessions where user_id = (select user_id from a) and id is distinct from $4::uuid returning id
   ), kept as (
     update sessions set token_hash = decode($5, 'hex') where id = $4 and user_id = (select user_id from a)
   ), noted as (
     ${auditEvent('password_changed', { userId: 'user_id', actor: '$6::uuid', address: '$7', details: "jsonb_build_object('sessions_ended', (select count(*) from ended))" })}
       from a
   )
   select user_id from a`,
);

export const storeHash = statement<never, [id: string, oldHash: string, newHash: string]>(
  'accounts.store_hash',
  'update accounts set password_hash = $3 where user_id = $1 and password_hash = $2',
);

/** Sessions go with the account. `erasures` begins the removal of all other traces. */
export const deleteAccount = statement<
  { readonly is_last_admin: boolean; readonly is_current: boolean },
  [id: string, versions: Text, actor: Text, address: Text, messages: 'keep' | 'erase']
>(
  'accounts.delete',
  `with found as (
     select user_id, ${isLastAdmin} as is_last_admin, ${isAccepted('$2')} as is_current
       from accounts join users on id = user_id where user_id = $1
   ), u as (
     delete from users where id = (select user_id from found where is_current and not is_last_admin) returning id
   ), a as (
     delete from accounts using u where user_id = id returning user_id, username
   ), begun as (
     insert into erasures (user_id, username, messages) select user_id, username, $5 from a
   ), noted as (
     ${auditEvent('account_deleted', { userId: 'user_id', actor: '$3::uuid', address: '$4' })} from a
   )
   select is_last_admin, is_current from found`,
);
