-- Takes effect at the next start. A standby has it from the copy of its primary.
alter system set hba_file = '/etc/postgresql/pg_hba.conf';
