import { migrationStatus, type MigrationTarget } from '../db/migrations.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { fail, ok, type Finding } from './finding.ts';

/** Whether the database has the schema of this version. Rejects as `pg` does when it is not reached. */
export async function checkSchema(target: MigrationTarget): Promise<Finding> {
  const subject = { check: 'schema', where: 'primary' } as const;
  try {
    const all = await migrationStatus(target);
    const pending = all.filter(({ applied }) => !applied).map(({ name }) => name);
    if (pending.length === 0) return ok(subject, `${all.length} migrations, all applied`);
    return fail(
      subject,
      `pending: ${pending.join(', ')}`,
      '`messenger migrate up`, or start the server, which does it.',
    );
  } catch (error) {
    if (error instanceof OperatorError) return fail(subject, error.message, 'Use the version that made this schema.');
    throw error;
  }
}
