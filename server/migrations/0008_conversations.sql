-- Up Migration

-- Reasons for this schema: docs/decisions/0070-conversations.md. There are no foreign keys between these tables: every change of a
-- conversation holds the lock of its row, and what a foreign key checks is checked under that lock.

-- Whether other people see what this account has read; if not, it sees that of nobody.
alter table accounts add column reads_private boolean not null default false;

create table conversations (
  id uuid primary key default uuidv7(),
  kind text not null constraint conversations_kind_known check (kind in ('direct', 'group', 'channel')),
  -- Empty for direct conversations.
  title text not null default '' constraint conversations_title_length check (char_length(title) <= 100),
  about text not null default '' constraint conversations_about_length check (char_length(about) <= 1000),
  -- Of channels: anyone with an account finds and joins it.
  is_public boolean not null default false,
  -- The title of a public channel, folded for searches by prefix; null for all others.
  search_title text collate "C",
  created_by uuid,
  created_at timestamptz not null default now(),
  -- How long after sending a message may be edited; null for ever.
  edit_window_seconds int constraint conversations_edit_window_positive check (edit_window_seconds >= 0),
  member_count int not null default 0,
  -- The number of its changes. Each change takes the next value under the lock of this row: without gaps, in the order of commits.
  seq bigint not null default 0,
  -- The value of `seq` at the last change of the fields above.
  info_seq bigint not null default 0,
  -- The number of its messages.
  last_number bigint not null default 0,
  changed_at timestamptz not null default now(),
  -- When the last message was sent; before the first, when it was created. Lists are in this order.
  active_at timestamptz not null default now(),
  -- Of the last message, for lists. The body is truncated, and null when the message was deleted.
  last_sender_id uuid,
  last_preview text,
  deleted_at timestamptz
) with (fillfactor = 60); -- Each change updates columns without an index: with room on the page, no index is written (HOT).

create index conversations_channels_idx on conversations (search_title, id) where search_title is not null;
create index conversations_deleted_idx on conversations (deleted_at) where deleted_at is not null;

-- One direct conversation per pair of people.
create table direct_conversations (
  low_user uuid not null,
  high_user uuid not null,
  conversation_id uuid not null,
  constraint direct_conversations_pkey primary key (low_user, high_user),
  constraint direct_conversations_ordered check (low_user < high_user)
);

create table members (
  conversation_id uuid not null,
  user_id uuid not null,
  role text not null constraint members_role_known check (role in ('owner', 'admin', 'member', 'reader')),
  joined_at timestamptz not null default now(),
  -- Rows of former members stay, so that a client learns of their leaving.
  left_at timestamptz,
  banned_at timestamptz,
  -- All messages up to this number are read.
  read_number bigint not null default 0,
  muted_until timestamptz,
  pinned boolean not null default false,
  archived boolean not null default false,
  -- In direct conversations: the other person.
  other_id uuid,
  -- For lists by activity: the hour of the conversation's `active_at`; infinity in channels, whose members are too many for an update.
  listed_at timestamptz not null,
  changed_seq bigint not null,
  constraint members_pkey primary key (conversation_id, user_id)
) with (fillfactor = 70);

create index members_user_idx on members (user_id, listed_at) where left_at is null;
-- For erasures.
create index members_former_idx on members (user_id, conversation_id) where left_at is not null;
create index members_changed_idx on members (conversation_id, changed_seq);
create index members_banned_idx on members (conversation_id, user_id) where banned_at is not null;
create index members_owners_idx on members (conversation_id) where role = 'owner' and left_at is null;

create table messages (
  conversation_id uuid not null,
  -- 1, 2, 3 … without gaps. The rows of deleted messages stay, without their content.
  number bigint not null,
  -- Chosen by the client: a repeated send finds the message by it.
  id uuid not null,
  sender_id uuid not null,
  body text not null,
  -- Of what was sent, whatever is edited later: a repeat must be the same.
  sent_hash bytea not null,
  reply_to bigint,
  -- The number of the thread's first message.
  thread_of bigint,
  -- Of a thread's first message: the number of replies, and the last one.
  thread_count int not null default 0,
  thread_last bigint,
  -- Of members, resolved at the send.
  mentions uuid[] not null default '{}',
  mentions_all boolean not null default false,
  -- {"👍": {"count": 3, "user_ids": […the first ten…]}}; null without reactions.
  reactions jsonb,
  pinned_at timestamptz,
  pinned_by uuid,
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  deleted_at timestamptz,
  -- The number of edits.
  revision int not null default 0,
  changed_seq bigint not null,
  -- The folded words of the body, and one word for the conversation; null when deleted.
  search tsvector,
  constraint messages_pkey primary key (conversation_id, number),
  constraint messages_id_unique unique (conversation_id, id)
);

create index messages_changed_idx on messages (conversation_id, changed_seq);
create index messages_thread_idx on messages (conversation_id, thread_of, number) where thread_of is not null;
create index messages_pinned_idx on messages (conversation_id, number) where pinned_at is not null;
-- For searches: newest first, and by words.
create index messages_created_idx on messages (created_at, conversation_id, number);
create index messages_search_idx on messages using gin (search);

create table message_revisions (
  conversation_id uuid not null,
  number bigint not null,
  revision int not null,
  body text not null,
  -- When this body was written; the edit that replaced it came later.
  written_at timestamptz not null,
  constraint message_revisions_pkey primary key (conversation_id, number, revision)
);

create table reactions (
  conversation_id uuid not null,
  number bigint not null,
  emoji text collate "C" not null,
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint reactions_pkey primary key (conversation_id, number, emoji, user_id)
);
create index reactions_user_idx on reactions (user_id, conversation_id, number);

-- Messages that mention a person. The user with only zeros stands for all members.
create table mentions (
  conversation_id uuid not null,
  user_id uuid not null,
  number bigint not null,
  sender_id uuid not null,
  created_at timestamptz not null default now(),
  constraint mentions_pkey primary key (conversation_id, user_id, number)
);
create index mentions_newest_idx on mentions (user_id, created_at, conversation_id, number);

create table invites (
  code text collate "C" primary key,
  conversation_id uuid not null,
  role text not null constraint invites_role_known check (role in ('admin', 'member', 'reader')),
  created_by uuid not null,
  created_at timestamptz not null default now(),
  uses int not null default 0,
  max_uses int constraint invites_max_uses_positive check (max_uses > 0),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index invites_conversation_idx on invites (conversation_id, created_at, code);

create table blocks (
  user_id uuid not null,
  blocked_id uuid not null,
  created_at timestamptz not null default now(),
  constraint blocks_pkey primary key (user_id, blocked_id)
);
create index blocks_blocked_idx on blocks (blocked_id);

-- Deleted accounts whose traces are still being removed, in steps. The username is needed to remove it from mentions in the texts of others.
create table erasures (
  user_id uuid primary key,
  username text collate "C" not null,
  messages text not null constraint erasures_messages_known check (messages in ('keep', 'erase')),
  requested_at timestamptz not null default now(),
  -- Progress: conversations in the order of their ids, and the last message done in this one; a null number when all of it is done.
  conversation_id uuid,
  number bigint default 0
);

-- Down Migration

drop table erasures, blocks, invites, mentions, reactions, message_revisions, messages, members, direct_conversations, conversations;
alter table accounts drop column reads_private;
