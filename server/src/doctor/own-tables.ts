import type { About, Server, ServerCheck } from './about.ts';
import { fail, ok, type Finding } from './finding.ts';

/** One of our tables; names are quoted. */
export interface OwnTable {
  readonly name: string;
  readonly schema: string;
  /** Whether its unqualified name resolves to it. */
  readonly isVisible: boolean;
  /** Whether our role may use its schema. */
  readonly isUsable: boolean;
}

const ownSql = `
  select quote_ident(relname) as name, quote_ident(nspname) as schema, pg_table_is_visible(c.oid) as "isVisible",
         has_schema_privilege(n.oid, 'usage') as "isUsable"
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relname = any($1) and relkind in ('r', 'p') and nspname !~ '^pg_' order by 2, 1`;

/** Finds our tables and the table of migrations, in any schema. */
export async function findOwnTables({ ask }: Server, { expected }: About): Promise<readonly OwnTable[]> {
  return await ask<OwnTable>(ownSql, [[...expected.tables, 'migrations']]);
}

/** Tables that exist but that our unqualified names do not find: other checks of them would be wrong. */
export function areHidden(tables: readonly OwnTable[]): boolean {
  return tables.length > 0 && tables.every(({ isVisible }) => !isVisible);
}

/** Checks that the names in our statements resolve to our tables. */
export const checkSearchPath: ServerCheck = async (server, about) => {
  const tables = await findOwnTables(server, about);
  const subject = { check: 'search path', where: server.where } as const;
  const visible = [...new Set(tables.filter(({ isVisible }) => isVisible).map(({ schema }) => schema))];
  if (tables.length === 0) return [ok(subject, 'our tables do not exist yet')];
  if (visible.length === 1) return [ok(subject, `the tables are in ${visible[0]}`)];
  return [await explainHidden(server, tables)];
};

async function explainHidden(server: Server, tables: readonly OwnTable[]): Promise<Finding> {
  const subject = { check: 'search path', where: server.where } as const;
  const schemas = [...new Set(tables.map(({ schema }) => schema))].join(', ');
  const unusable = tables.find(({ isUsable }) => !isUsable)?.schema;
  if (unusable !== undefined) {
    const [path] = await server.ask<{ role: string }>(`select quote_ident(current_user) as "role"`);
    return fail(
      subject,
      `the tables are in ${unusable}, which our role may not use`,
      `On the primary: grant usage on schema ${unusable} to ${path?.role}.`,
    );
  }
  const moves = tables.map(({ schema, name }) => `alter table ${schema}.${name} set schema public`);
  const advice = `Do not migrate: that would create the tables again. On the primary: ${moves.join('; ')}.`;
  return fail(subject, `the tables are in ${schemas}, and Messenger uses public`, advice);
}
