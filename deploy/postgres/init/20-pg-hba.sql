-- From the start that follows this one; a copy, which a standby is, has it from its primary.
alter system set hba_file = '/etc/postgresql/pg_hba.conf';
