import { placeOf, type Endpoint } from '../db/endpoint.ts';
import { areOneServer } from '../db/identity.ts';
import { explainUnfit, findServerProblems, type ServerFacts, type UnfitServer } from '../db/server-facts.ts';
import { fail, ok, type Finding } from './finding.ts';

/** What is known about a server that answered. */
export interface Known {
  readonly where: Finding['where'];
  readonly endpoint: Endpoint;
  readonly facts: ServerFacts;
}

/** Checks that a primary can take writes. */
export function judgePrimary({ where, endpoint, facts }: Known): Finding {
  const problems = findServerProblems({ write: endpoint, read: endpoint }, facts, facts);
  if (facts.inRecovery) return fail({ check: 'compatible', where }, problems.join(' '), noPrimary);
  return judge(where, problems, `accepts writes, database ${facts.database}, PostgreSQL ${showVersion(facts.version)}`);
}

/** Checks that a standby belongs to this primary. Other checks report problems of the primary itself. */
export function judgeStandby(primary: Known, { where, endpoint, facts }: Known): Finding {
  if (takesOwnWrites(primary.facts, facts)) {
    const found = `accepts writes, in addition to the primary ${placeOf(primary.endpoint)}`;
    return fail({ check: 'compatible', where }, found, stopIt);
  }
  const ofPrimary = findServerProblems(
    { write: primary.endpoint, read: primary.endpoint },
    primary.facts,
    primary.facts,
  );
  const problems = findServerProblems({ write: primary.endpoint, read: endpoint }, primary.facts, facts);
  const own = problems.filter((problem) => !ofPrimary.includes(problem));
  return judge(where, own, `of the same cluster, database ${facts.database}, PostgreSQL ${showVersion(facts.version)}`);
}

const noPrimary =
  'If the primary is lost, promote a standby: select pg_promote() on it (docs/operations.md#primarydown). Else let DB_WRITE_HOST name the primary.';

const stopIt =
  'After a failover it is the old primary: writes to it are lost when it becomes a standby. Stop it at once, then rebuild it as a standby (docs/operations.md).';

/** A promoted copy, or the former primary after a failover. */
function takesOwnWrites(primary: ServerFacts, other: ServerFacts): boolean {
  return (
    primary.systemIdentifier === other.systemIdentifier &&
    !primary.inRecovery &&
    !other.inRecovery &&
    !areOneServer(primary, other)
  );
}

/** The finding for a server before PostgreSQL 18, or behind a pooler in statement mode. */
export function judgeUnfit(where: Finding['where'], endpoint: Endpoint, unfit: UnfitServer): Finding {
  return judge(where, [explainUnfit(where === 'primary' ? 'write' : 'read', endpoint, unfit)], '');
}

function judge(where: Finding['where'], problems: readonly string[], otherwise: string): Finding {
  const subject = { check: 'compatible', where } as const;
  if (problems.length === 0) return ok(subject, otherwise);
  const advice =
    'The server refuses to start with this. `messenger config` prints which servers are configured, and where from.';
  return fail(subject, problems.join(' '), advice);
}

/** `180004` as `18.4`. */
export function showVersion(version: number): string {
  return `${Math.floor(version / 10_000)}.${version % 10_000}`;
}
