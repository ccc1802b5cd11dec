import { DatabaseError } from 'pg';

import { placeOf, type Endpoint } from '../db/endpoint.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** The remedy, by SQLSTATE, when a server refuses a base backup. */
function adviceFor(code: string | undefined, { user }: Endpoint): string | undefined {
  switch (code) {
    case '42501':
      return (
        `The role "${user}" lacks the right REPLICATION. As superuser: \`create role messenger_backup login replication ` +
        "password '…'`; then set DB_BACKUP_USER and DB_BACKUP_PASSWORD."
      );
    case '28000':
      return `pg_hba.conf must admit the role "${user}" from this machine to its database; the role must exist and have LOGIN.`;
    case '28P01':
      return 'Correct DB_BACKUP_USER and DB_BACKUP_PASSWORD; without them, those of the server are used.';
    case '53300':
      return 'Raise max_wal_senders, or max_connections, of the server.';
    case '53400':
      return 'Raise max_replication_slots of the server.';
    case '58P01':
      return 'It removed WAL before the end of the backup. Raise max_slot_wal_keep_size, or take the backup while there are fewer writes.';
    case '55000':
      return 'The server needs `wal_level = replica`, and must not be promoted during a backup.';
    default:
      return undefined;
  }
}

/** An `OperatorError` for a failed backup if the operator can fix the cause; else the error unchanged. */
export function explainFailure(error: unknown, source: Endpoint): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const advice = adviceFor(error.code, source);
  if (advice === undefined) return error;
  return new OperatorError(`${placeOf(source)} refuses the backup: ${error.message}.\n${advice}`, { cause: error });
}
