-- Up Migration

-- When the member's own state last changed (what is read, settings): a client that comes back gets what has changed since. Sends move
-- `read_number`, too, but change the conversation itself.
alter table members add column own_changed_at timestamptz not null default now();

-- Who is mentioned learns of it without following the messages of the conversation.
do $$
begin
  alter publication messenger add table mentions (conversation_id, user_id, number, sender_id, created_at);
exception when insufficient_privilege or undefined_object then
  raise warning 'the publication "messenger" was not changed';
end
$$;

-- Down Migration

do $$
begin
  alter publication messenger drop table mentions;
exception when insufficient_privilege or undefined_object then
  raise warning 'the publication "messenger" was not changed';
end
$$;
alter table members drop column own_changed_at;
