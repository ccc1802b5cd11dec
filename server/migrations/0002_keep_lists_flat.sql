-- Up Migration

-- A page must cost the same after a million creates and deletes as before. Reads visit dead index entries until a vacuum removes
-- them; on the standby only the replay of the vacuum does.
-- Reasons and figures: docs/decisions/0009-lists-stay-flat.md; measure again with `npm run bench:lists`.
alter table users set (
  -- The default is a fifth of the table. A first page may visit this many dead rows.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500,
  -- `auto` skips indexes while fewer than 2 % of the pages have dead rows: then a page always reads 38 to 49 buffers.
  vacuum_index_cleanup = on,
  -- With cost-based delays, a vacuum of a million rows takes 0.5 s; without, 0.08 s.
  autovacuum_vacuum_cost_delay = 0,
  -- Truncation takes an exclusive lock, also on the standby, where it cancels reads.
  vacuum_truncate = off
);

-- New keys are inserted at the right end, where B-trees fill their pages to 90 %. With `desc` they were inserted at the left end, where
-- each split leaves two halves: 1030 pages instead of 573 for the same rows. Lists read the index backwards.
drop index users_newest_idx;
create index users_newest_idx on users (created_at, id);

-- Down Migration

drop index users_newest_idx;
create index users_newest_idx on users (created_at desc, id desc);

alter table users reset (
  autovacuum_vacuum_scale_factor,
  autovacuum_vacuum_threshold,
  vacuum_index_cleanup,
  autovacuum_vacuum_cost_delay,
  vacuum_truncate
);
