-- Up Migration

-- Whether other people see when this account is there; if not, it still sees others. No worker reads it from the log.
alter table accounts add column presence_private boolean not null default false;

-- Down Migration

alter table accounts drop column presence_private;
