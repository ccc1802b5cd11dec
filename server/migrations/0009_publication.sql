-- Up Migration

-- What the feed reads from the log: docs/decisions/0080-feed.md. A migration that adds a column to one of these tables adds it here with
-- `alter publication messenger set table …`; a test compares them with src/feed-tables.ts. Secrets and search indexes are left out.
-- Without the right to create publications the schema is complete all the same: the server then runs without realtime, and says so.
do $$
begin
  -- That of the embedded databases exists, because their role may not create one.
  if not exists (select from pg_publication where pubname = 'messenger') then
    create publication messenger;
  end if;
  alter publication messenger set table
    conversations (id, kind, title, about, is_public, created_by, created_at, edit_window_seconds, member_count, seq, info_seq,
      last_number, changed_at, active_at, last_sender_id, last_preview, deleted_at),
    members (conversation_id, user_id, role, joined_at, left_at, banned_at, read_number, muted_until, pinned, archived, other_id,
      listed_at, changed_seq),
    messages (conversation_id, number, id, sender_id, body, reply_to, thread_of, thread_count, thread_last, mentions, mentions_all,
      reactions, pinned_at, pinned_by, created_at, edited_at, deleted_at, revision, changed_seq),
    sessions (id, user_id, created_at, last_used_at, expires_at, user_agent, address),
    accounts (user_id, username, role, created_at, disabled_at, reads_private),
    blocks (user_id, blocked_id, created_at);
exception when insufficient_privilege then
  raise warning 'the publication "messenger" could not be created: the role lacks CREATE on this database';
end
$$;

-- A delete in the log has only the replica identity: with the user, it says whose session has ended.
drop index sessions_user_idx;
create unique index sessions_user_idx on sessions (user_id, id);
alter table sessions replica identity using index sessions_user_idx;

-- Down Migration

drop publication if exists messenger; -- That of the embedded databases is created again at their next start.
alter table sessions replica identity default;
drop index sessions_user_idx;
create index sessions_user_idx on sessions (user_id, id);
