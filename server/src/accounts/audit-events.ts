import type { AuditKind } from '@messenger/protocol/audit';

/** Who makes a change. */
export interface Actor {
  /** Undefined for an anonymous client and for the operator on the command line. */
  readonly actorId: string | undefined;
  /** Undefined on the command line. */
  readonly address: string | undefined;
}

/** SQL expressions. */
interface EventValues {
  readonly userId: string;
  readonly actor: string;
  readonly address: string;
  readonly details?: string;
}

/** The beginning of an insert: a `from` clause follows. `kind` may be an SQL expression of kinds. */
export function auditEvent(
  kind: AuditKind | `case ${string}`,
  { userId, actor, address, details = `'{}'::jsonb` }: EventValues,
): string {
  const value = kind.startsWith('case ') ? kind : `'${kind}'`;
  return `insert into audit (kind, user_id, actor_id, address, details)
     select ${value}, ${userId}, ${actor}, ${address}::text, ${details}`;
}
