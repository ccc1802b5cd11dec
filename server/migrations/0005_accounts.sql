-- Up Migration

-- Set when the user is created together with its account, and never changed. Writes of the users API exclude these rows without
-- a lookup in `accounts`; a foreign key would cost a lookup per deleted user. Reasons: docs/decisions/0050-accounts.md.
alter table users add column has_account boolean not null default false;

create table accounts (
  user_id uuid primary key,
  -- Folded (NFKC, lower case): what two people type for one name is one text.
  username text collate "C" not null constraint accounts_username_unique unique
    constraint accounts_username_length check (char_length(username) between 2 and 32),
  -- A PHC string with algorithm and parameters.
  password_hash text not null,
  role text not null default 'member' constraint accounts_role_known check (role in ('member', 'moderator', 'admin')),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  -- First and last name, and the last name, folded for searches by prefix. They are here because an index on a name in `users`
  -- would make each rename write all indexes of that table.
  search_name text collate "C" not null,
  search_last_name text collate "C" not null
);

create index accounts_search_name_idx on accounts (search_name);
create index accounts_search_last_name_idx on accounts (search_last_name);
-- Found and locked before an administrator is demoted, disabled or deleted.
create index accounts_admins_idx on accounts (user_id) where role = 'admin' and disabled_at is null;

-- The first insert wins: its account becomes the administrator, also when two are created at the same moment.
create table first_account (
  only_row boolean primary key default true constraint first_account_one_row check (only_row)
);

create table sessions (
  id uuid primary key default uuidv7(),
  user_id uuid not null constraint sessions_account_fkey references accounts on delete cascade,
  -- SHA-256 of the token, which is stored nowhere.
  token_hash bytea not null constraint sessions_token_hash_unique unique
    constraint sessions_token_hash_length check (octet_length(token_hash) = 32),
  created_at timestamptz not null default now(),
  -- Coarse: updated at most once an hour.
  last_used_at timestamptz not null default now(),
  -- Moves with use, up to a maximum age.
  expires_at timestamptz not null,
  user_agent text not null,
  address text not null
);

create index sessions_user_idx on sessions (user_id, id);
create index sessions_expires_idx on sessions (expires_at);

-- Security events. No foreign keys: events outlive the accounts that they are about.
create table audit (
  id uuid primary key default uuidv7(),
  at timestamptz not null default now(),
  kind text not null,
  -- The account that the event is about; null for a name that has no account.
  user_id uuid,
  -- The account that caused it; null for an anonymous client and for the operator on the command line.
  actor_id uuid,
  -- The client's address; null on the command line.
  address text,
  details jsonb not null default '{}'
);

create index audit_at_idx on audit (at, id);
create index audit_user_idx on audit (user_id, at, id);

-- Down Migration

drop table audit;
drop table sessions;
drop table first_account;
drop table accounts;
alter table users drop column has_account;
