-- Run once by the image, as its superuser, in the database messenger of a new primary. The passwords are read by the server,
-- so that they are in no command line and no log.
do $$
declare
  secrets constant text := '/run/secrets/';
begin
  set local log_statement = 'none';
  execute format('create role messenger login password %L', rtrim(pg_read_file(secrets || 'db_password'), E'\r\n'));
  execute format('create role replicator login replication password %L',
                 rtrim(pg_read_file(secrets || 'replication_password'), E'\r\n'));
end
$$;

-- For /metrics, `messenger doctor`, and for knowing on which timeline a standby is.
grant pg_monitor to messenger;
-- It owns what its migrations make, and nobody else may come in.
alter database messenger owner to messenger;
alter schema public owner to messenger;
revoke all on database messenger from public;

-- Keeps WAL for the standby from now on; its first copy is made with it.
select pg_create_physical_replication_slot('messenger_standby', true);
