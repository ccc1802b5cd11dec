import type { Server } from './about.ts';

/** A setting as our sessions see it. Names are quoted. */
export interface Setting {
  readonly name: string;
  /** In `unit`. */
  readonly value: string;
  readonly unit: string | null;
  /** The origin of the value, as in `pg_settings.source`. */
  readonly source: string;
  readonly needsRestart: boolean;
  readonly role: string;
  readonly database: string;
}

const settingsSql = `select name, setting as value, unit, source, context = 'postmaster' as "needsRestart",
    quote_ident(current_user) as "role", quote_ident(current_database()) as "database"
  from pg_settings where name = any($1) order by name`;

/** Reads these settings, as far as the server has them. */
export async function readSettings({ ask }: Pick<Server, 'ask'>, names: readonly string[]): Promise<Setting[]> {
  return await ask<Setting>(settingsSql, [names]);
}

/** The command that changes a setting for our sessions; depends on the origin of its present value. */
export async function changeSetting({ ask }: Pick<Server, 'ask'>, name: string, value: string): Promise<string> {
  const [setting] = await readSettings({ ask }, [name]);
  if (setting === undefined) throw new Error(`the server does not know the setting ${name}`);
  return commandFor(setting, value);
}

/** A value of a role, a database or the command line overrides `alter system`. Without a full stop. */
export function commandFor({ name, source, needsRestart, role, database }: Setting, value: string): string {
  switch (source) {
    case 'user':
      return onPrimary(`alter role ${role} reset ${name}`);
    case 'database':
      return onPrimary(`alter database ${database} reset ${name}`);
    case 'database user':
      return onPrimary(`alter role ${role} in database ${database} reset ${name}`);
    case 'global':
      return onPrimary(`alter role all reset ${name}`);
    case 'command line':
      return `Start it with ${name}=${value}: its command line has ${name} (compose: tuned.yaml), and \`alter system\` would change nothing`;
    default:
      return `alter system set ${name} = '${value}'${needsRestart ? ', and restart it' : '; select pg_reload_conf()'}`;
  }
}

/** A standby cannot execute `alter role`. Open sessions keep the old value. */
function onPrimary(command: string): string {
  return `On the primary: ${command}; new sessions have it`;
}
