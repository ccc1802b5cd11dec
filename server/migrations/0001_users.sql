-- Up Migration

create table users (
  id uuid primary key default uuidv7(),
  first_name text not null constraint users_first_name_length check (char_length(first_name) between 1 and 100),
  last_name text not null constraint users_last_name_length check (char_length(last_name) between 1 and 100),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Pages, newest first; the id breaks ties.
create index users_newest_idx on users (created_at desc, id desc);

create index users_name_idx on users (first_name, last_name);

-- Down Migration

drop table users;
