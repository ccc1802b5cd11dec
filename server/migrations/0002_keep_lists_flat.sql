-- Up Migration

-- A page must cost the same after a million creates and deletes as before. What deletes leave behind in the index is
-- walked by every read until a vacuum has removed it, and on the standby nothing but the vacuum's replay does.
-- Reasons and figures: docs/decisions/0009-lists-stay-flat.md; measured again by `npm run bench:lists`.
alter table users set (
  -- The defaults wait for a fifth of the table. This many dead rows are what a first page may walk past.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500,
  -- `auto` leaves the indexes alone while fewer than 2 % of the pages have dead rows: for ever 38 to 49 buffers a page.
  vacuum_index_cleanup = on,
  -- Paused, one vacuum of a million rows takes 0.5 s; at one go, 0.08 s, before much more has died.
  autovacuum_vacuum_cost_delay = 0,
  -- Giving back the table's end locks it exclusively, on the standby, too, where that cancels reads.
  vacuum_truncate = off
);

-- New keys come at the right end, where B-trees fill their pages to 90 %; at the left end, where `desc` put them, every
-- split leaves two halves: 1030 pages against 573 for the same rows. Pages read the index backwards.
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
