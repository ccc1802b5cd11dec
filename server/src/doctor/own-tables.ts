import type { About, Server, ServerCheck } from './about.ts';
import { changeSetting } from './change-setting.ts';
import { fail, ok, type Finding } from './finding.ts';

/** One of our tables; names are quoted. */
export interface OwnTable {
  readonly name: string;
  readonly schema: string;
  /** Whether statements find it without its schema. */
  readonly isVisible: boolean;
  /** Whether our role may use its schema. */
  readonly isUsable: boolean;
}

const ownSql = `
  select quote_ident(relname) as name, quote_ident(nspname) as schema, pg_table_is_visible(c.oid) as "isVisible",
         has_schema_privilege(n.oid, 'usage') as "isUsable"
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relname = any($1) and relkind in ('r', 'p') and nspname !~ '^pg_' order by 2, 1`;

/** Our tables, and the one that lists the migrations, in whatever schema they are. */
export async function findOwnTables({ ask }: Server, { expected }: About): Promise<readonly OwnTable[]> {
  return await ask<OwnTable>(ownSql, [[...expected.tables, 'migrations']]);
}

/** Tables that are there and that statements of our role do not find: what else is said of them would be wrong. */
export function areHidden(tables: readonly OwnTable[]): boolean {
  return tables.length > 0 && tables.every(({ isVisible }) => !isVisible);
}

/** Whether the names in our statements lead to our tables. */
export const checkSearchPath: ServerCheck = async (server, about) => {
  const tables = await findOwnTables(server, about);
  const subject = { check: 'search path', where: server.where } as const;
  const visible = [...new Set(tables.filter(({ isVisible }) => isVisible).map(({ schema }) => schema))];
  if (tables.length === 0) return [ok(subject, 'no table of ours is there yet')];
  if (visible.length === 1) return [ok(subject, `the tables are in ${visible[0]}`)];
  return [await explainHidden(server, tables, visible)];
};

async function explainHidden(
  server: Server,
  tables: readonly OwnTable[],
  visible: readonly string[],
): Promise<Finding> {
  const subject = { check: 'search path', where: server.where } as const;
  const [path] = await server.ask<{ path: string; role: string }>(
    `select current_setting('search_path') as path, quote_ident(current_user) as "role"`,
  );
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  const unusable = tables.find(({ isUsable, isVisible }) => !isUsable && !isVisible)?.schema;
  if (visible.length === 0 && unusable !== undefined)
    return fail(
      subject,
      `the tables are in ${unusable}, which our role may not use`,
      `On the primary: grant usage on schema ${unusable} to ${path?.role}.`,
    );
  const home = tables.find(({ name }) => name === 'migrations')?.schema ?? schemas[0];
  const found =
    visible.length === 0
      ? `the tables are in ${schemas.join(', ')}, and search_path is ${path?.path}`
      : `names lead to tables in ${visible.join(' and ')}: search_path is ${path?.path}`;
  const change = await changeSetting(server, 'search_path', home ?? 'public');
  const advice = `Do not migrate: that would make the tables a second time. ${change}; or for good: alter role ${path?.role} set search_path = ${home}.`;
  return fail(subject, found, advice);
}
