-- The image runs this once, as superuser, in the database messenger of a new primary. The server reads the passwords, so they appear
-- in no command line and no log.
do $$
declare
  secrets constant text := '/run/secrets/';
begin
  set local log_statement = 'none';
  execute format('create role messenger login replication password %L', rtrim(pg_read_file(secrets || 'db_password'), E'\r\n'));
  execute format('create role replicator login replication password %L',
                 rtrim(pg_read_file(secrets || 'replication_password'), E'\r\n'));
end
$$;

-- For /metrics, `messenger doctor`, and the timeline of a standby.
grant pg_monitor to messenger;
-- It owns the objects of its migrations; other roles have no access.
alter database messenger owner to messenger;
alter schema public owner to messenger;
revoke all on database messenger from public;

-- Retains WAL for the standby from now on, also for its first copy.
select pg_create_physical_replication_slot('messenger_standby', true);
