import { DatabaseError, escapeIdentifier, type Client } from 'pg';

import { OperatorError } from '../lib/operator-error.ts';

/** Lists the applied migrations, in the schema of the tables. */
export const migrationsTable = 'migrations';

/** The `search_path` of our sessions (db/session.ts). */
const schema = 'public';

const tablesSql = `
  select nspname as schema, has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as "isReadable",
         (select count(*) = 2 from pg_attribute where attrelid = c.oid and attname in ('name', 'run_on')) as "isAlike"
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relname = $1 and relkind in ('r', 'p', 'v', 'f') and nspname !~ '^pg_' order by 1`;

/** A table with the name of ours. */
interface Candidate {
  readonly schema: string;
  readonly isReadable: boolean;
  /** Whether it has the same columns. */
  readonly isAlike: boolean;
}

/**
 * The names of the applied migrations, in order; none in a database without our tables. Rejects with `OperatorError`
 * when our tables are in another schema, where a migration would create them again, or when the table belongs to
 * another program.
 */
export async function readApplied(client: Client, known: readonly string[]): Promise<string[]> {
  const { rows: candidates } = await client.query<Candidate>(tablesSql, [migrationsTable]);
  const own = candidates.find((one) => one.schema === schema);
  if (own?.isAlike === false) throw isOfOthers(`it has another table ${migrationsTable}`);
  if (own !== undefined) return await readNames(client, schema);
  for (const { schema: other } of candidates.filter(({ isAlike, isReadable }) => isAlike && isReadable))
    if ((await readNames(client, other)).some((name) => known.includes(name))) throw areElsewhere(other);
  return [];
}

async function readNames(client: Client, of: string): Promise<string[]> {
  const table = `${escapeIdentifier(of)}.${migrationsTable}`;
  const { rows } = await client.query<{ name: string }>(`select name from ${table} order by run_on`);
  return rows.map(({ name }) => name);
}

function areElsewhere(other: string): OperatorError {
  return new OperatorError(
    `The tables of Messenger are in the schema "${other}", and Messenger uses the schema "${schema}". ` +
      '`messenger doctor` prints the statements that move them. Nothing was changed.',
  );
}

function isOfOthers(reason: string): OperatorError {
  return new OperatorError(
    `The database is used by another program: ${reason}. Give Messenger a database of its own (DB_WRITE_NAME, DB_READ_NAME). ` +
      'Nothing was changed.',
  );
}

const rightsSql = `select coalesce(has_schema_privilege(to_regnamespace($1), 'create'), false) as "mayCreate", quote_ident(current_user) as "role"`;

/** Rejects with `OperatorError` when our role may not create tables in that schema. */
export async function assertMayCreate(client: Client): Promise<void> {
  const { rows } = await client.query<{ mayCreate: boolean; role: string }>(rightsSql, [schema]);
  const [right] = rows;
  if (right?.mayCreate !== false) return;
  throw new OperatorError(
    `The schema must be migrated, but ${right.role} may not create tables in the schema "${schema}". As superuser, in that ` +
      `database: create schema if not exists ${schema}; grant usage, create on schema ${schema} to ${right.role}.`,
  );
}

const duplicateTable = '42P07';

/** An `OperatorError` for a failed migration if the operator can fix the cause; else the error unchanged. */
export function explainMigration(error: unknown): unknown {
  return error instanceof DatabaseError && error.code === duplicateTable ? isOfOthers(error.message) : error;
}
