import type { ServerCheck } from './about.ts';
import { askNames, askOne } from './ask.ts';
import { ok, warn } from './finding.ts';

const maySql = `select bool_and(has_table_privilege(name, 'select')) and has_function_privilege('pg_show_all_file_settings()', 'execute')
  and has_function_privilege('pg_hba_file_rules()', 'execute') as "may" from unnest(array['pg_file_settings', 'pg_hba_file_rules']) name`;

/**
 * Names of settings and line numbers, not the text, which may contain passwords. Another check reports settings that wait for a
 * restart.
 */
const errorsSql = `
  select regexp_replace(sourcefile, '.*/', '') || ' line ' || sourceline || coalesce(' (' || name || ')', '') || ': ' || error as name
  from pg_file_settings f where error is not null and not exists (select from pg_settings s where s.name = f.name and s.pending_restart)
  union all
  select regexp_replace(file_name, '.*/', '') || ' line ' || line_number || ': ' || error from pg_hba_file_rules where error is not null
  order by 1 limit 5`;

/** PostgreSQL does not load a file with an error, and does not start with it. */
export const checkFiles: ServerCheck = async (server) => {
  const subject = { check: 'configuration files', where: server.where } as const;
  const { may } = await askOne<{ may: boolean }>(server, maySql);
  if (!may) return [ok(subject, 'hidden from our role: only a superuser can read it')];
  const errors = await askNames(server, errorsSql);
  if (errors.length === 0) return [ok(subject, 'no error')];
  const advice =
    'A reload leaves the old values in force, and the next start fails. Correct the line; select pg_reload_conf().';
  return [warn(subject, errors.join('; '), advice)];
};
