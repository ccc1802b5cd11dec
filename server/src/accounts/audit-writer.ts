import type { AuditKind } from '@messenger/protocol/audit';

import { statement, type Queryable } from '../db/statement.ts';
import { sweepSize, type SweepStep } from '../db/sweeper.ts';

/** An event to record. */
export interface AuditEntry {
  readonly kind: AuditKind;
  /** The account that it is about. */
  readonly userId?: string | undefined;
  /** The account that caused it. */
  readonly actorId?: string | undefined;
  /** The address of the client. */
  readonly address?: string | undefined;
  /** Never text that a user typed. */
  readonly details?: object;
}

type Optional = string | undefined;

const insertEvent = statement<
  never,
  [kind: AuditKind, userId: Optional, actorId: Optional, address: Optional, details: string]
>('audit.insert', 'insert into audit (kind, user_id, actor_id, address, details) values ($1, $2, $3, $4, $5::jsonb)');

/** In the transaction of what it describes: both are stored, or neither. */
export async function recordEvent(
  db: Queryable,
  { kind, userId, actorId, address, details }: AuditEntry,
): Promise<void> {
  await db.query(insertEvent, [kind, userId, actorId, address, JSON.stringify(details ?? {})]);
}

const sweep = statement<{ readonly removed: number }, [days: number]>(
  'audit.sweep',
  `with gone as (
     delete from audit where id = any (array (
       select id from audit where at < now() - $1::int * interval '1 day' order by at, id limit ${sweepSize}
       for update skip locked
     )) returning 1
   )
   select count(*)::int as removed from gone`,
);

/** Removes events that are older. */
export function sweepAudit(days: number): SweepStep {
  return async (tx) => (await tx.query(sweep, [days]))[0]?.removed ?? 0;
}
