-- Up Migration

-- How fast passwords may be tried, by account and address. Unlogged: an attempt writes no WAL and waits for no disk; a crash or a
-- failover empties the table, and counting begins again. Reasons: docs/decisions/0057-sign-in-throttle.md.
create unlogged table throttles (
  -- A hash: what people type into a form, also by mistake, is not kept.
  key text collate "C" primary key,
  -- When all attempts are available again; in the past, the row means the same as no row. Without an index: each attempt changes it.
  full_at timestamptz not null
);

-- Down Migration

drop table throttles;
