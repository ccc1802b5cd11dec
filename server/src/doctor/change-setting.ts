import type { Server } from './about.ts';

/** Where the value of a setting comes from. Names are quoted. */
export interface Origin {
  readonly name: string;
  /** As in `pg_settings.source`. */
  readonly source: string;
  readonly needsRestart: boolean;
  readonly role: string;
  readonly database: string;
}

/** Of a `select` from `pg_settings`. */
export const originColumns = `name, source, context = 'postmaster' as "needsRestart",
  quote_ident(current_user) as "role", quote_ident(current_database()) as "database"`;

const originSql = `select ${originColumns} from pg_settings where name = $1`;

/** The command that gives a setting this value in our sessions, for where its present value comes from. */
export async function changeSetting({ ask }: Pick<Server, 'ask'>, name: string, value: string): Promise<string> {
  const [origin] = await ask<Origin>(originSql, [name]);
  if (origin === undefined) throw new Error(`the server does not know the setting ${name}`);
  return commandFor(origin, value);
}

/** A value of a role, a database or the command line outranks `alter system`. Ends without a full stop. */
export function commandFor({ name, source, needsRestart, role, database }: Origin, value: string): string {
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

/** A standby takes no `alter role`. Open sessions keep the old value. */
function onPrimary(command: string): string {
  return `On the primary: ${command}; new sessions have it`;
}
