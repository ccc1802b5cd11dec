-- Up Migration

-- No query uses it, and every create, rename and delete had to maintain it.
-- Figures: docs/decisions/0041-batches-by-need.md.
drop index users_name_idx;

-- A rename changes no indexed column. With room left on its page, PostgreSQL writes the new row there and touches no
-- index (a HOT update). Applies to pages filled from now on.
alter table users set (fillfactor = 85);

-- Down Migration

alter table users reset (fillfactor);
create index users_name_idx on users (first_name, last_name);
