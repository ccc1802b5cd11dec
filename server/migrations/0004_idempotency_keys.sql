-- Up Migration

-- What POST with an `Idempotency-Key` has made: a repeat is answered from here. Reasons: docs/decisions/0043-idempotency-keys.md.
create table idempotency_keys (
  key text collate "C" primary key constraint idempotency_keys_key_length check (char_length(key) between 1 and 255),
  -- SHA-256 of the body: the same key with another body is refused.
  fingerprint text not null,
  user_id uuid not null,
  -- Also the time at which the user was created.
  created_at timestamptz not null default now()
);

-- Finds expired keys, which later requests delete.
create index idempotency_keys_created_idx on idempotency_keys (created_at);

-- Down Migration

drop table idempotency_keys;
