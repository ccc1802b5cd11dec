import { OperatorError } from '../lib/operator-error.ts';
import type { ServerCheck } from './about.ts';
import { fail, ok } from './finding.ts';
import { areHidden, findOwnTables } from './own-tables.ts';

/** Checks that the database has the schema of this version. */
export const checkSchema: ServerCheck = async (server, about) => {
  const subject = { check: 'schema', where: server.where } as const;
  if (areHidden(await findOwnTables(server, about))) return []; // The check `search path` has the advice; a migration would do harm.
  try {
    const all = await server.migrations(about.migrationsDir);
    const pending = all.filter(({ applied }) => !applied).map(({ name }) => name);
    if (pending.length === 0) return [ok(subject, `${all.length} migrations, all applied`)];
    const advice = '`messenger migrate up`, or start the server, which does it.';
    return [fail(subject, `pending: ${pending.join(', ')}`, advice)];
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return [fail(subject, error.message, 'The server refuses to start with this database.')];
  }
};
