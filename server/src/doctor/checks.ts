import { describeFailure } from '../db/errors.ts';
import type { ServerFacts } from '../db/server-facts.ts';
import type { About, PairCheck, Server, ServerCheck } from './about.ts';
import { checkAccess } from './access.ts';
import { checkAlike } from './alike.ts';
import { checkArchive } from './archive.ts';
import { checkCache } from './cache.ts';
import type { CheckName } from './check-names.ts';
import { checkChecksums } from './checksums.ts';
import { checkClocks } from './clock.ts';
import { checkConnections } from './connections.ts';
import { checkDurability } from './durability.ts';
import { checkEncryption } from './encryption.ts';
import { fail, type Finding } from './finding.ts';
import { checkIndexes } from './indexes.ts';
import { checkKeptWal } from './kept-wal.ts';
import { checkLag } from './lag.ts';
import { checkLogContent } from './log-content.ts';
import { checkSearchPath } from './own-tables.ts';
import { checkRelease, checkReleases } from './releases.ts';
import { checkRealtime } from './realtime.ts';
import { checkReplication } from './replication.ts';
import { checkRights } from './rights.ts';
import { checkRole } from './role.ts';
import { checkSchema } from './schema.ts';
import { checkSessionSettings } from './session-settings.ts';
import { checkSettings } from './settings.ts';
import { checkSlots } from './slots.ts';
import { checkStatements } from './statements.ts';
import { checkUnlogged } from './tables.ts';
import { checkText } from './text.ts';
import { checkVacuum } from './vacuum.ts';

/** By the first of its names, which is used when the check itself fails. */
type Named<Check> = readonly (readonly [CheckName, Check])[];

const ofAll: Named<ServerCheck> = [
  ['release', checkRelease],
  ['encryption', checkEncryption],
  ['visibility', checkAccess],
  ['search path', checkSearchPath],
  ['rights', checkRights],
  ['role', checkRole],
  ['connections by state', checkConnections],
  ['long statements', checkStatements],
  ['cache hit ratio', checkCache],
  ['missing indexes', checkIndexes],
  ['settings', checkSettings],
  ['session settings', checkSessionSettings],
  ['logged parameters', checkLogContent],
  ['checksums', checkChecksums],
  ['encoding', checkText],
];

const ofPrimary: Named<ServerCheck> = [
  ['durability', checkDurability],
  ['archiving', checkArchive],
  ['autovacuum', checkVacuum],
  ['schema', checkSchema],
  ['unlogged tables', checkUnlogged],
];

const ofPair: Named<PairCheck> = [
  ['replication', checkReplication],
  ['retained WAL', checkKeptWal],
  ['standby release', checkReleases],
  ['standby settings', checkAlike],
  ['lag', checkLag],
  ['clock skew', checkClocks],
];

/** A standby cannot answer them, even when it is configured as the primary. */
const ofWriter: Named<ServerCheck> = [
  ['replication slots', checkSlots],
  ['realtime', checkRealtime],
];

/** The checks of a single server. */
export async function lookAtServer(server: Server, facts: ServerFacts, about: About): Promise<Finding[]> {
  const isPrimary = server.role === 'primary';
  const checks = [...ofAll, ...(isPrimary ? ofPrimary : []), ...(isPrimary && !facts.inRecovery ? ofWriter : [])];
  return await runAll(checks, server.where, [server], async (check) => check(server, about));
}

/** The checks of a standby and its primary. */
export async function lookAtPair(primary: Server, standby: Server, about: About): Promise<Finding[]> {
  return await runAll(ofPair, standby.where, [primary, standby], async (check) => check(primary, standby, about));
}

/** A check that fails to run is a failure in the report. The others continue, unless a server no longer answers. */
async function runAll<Check>(
  checks: Named<Check>,
  where: Finding['where'],
  servers: readonly Server[],
  run: (check: Check) => Promise<Finding[]>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    if (servers.some((server) => server.isLost())) break;
    findings.push(...(await run(check).catch((error: unknown) => [explain({ check: name, where }, error, servers)])));
  }
  return findings;
}

function explain(subject: Pick<Finding, 'check' | 'where'>, error: unknown, servers: readonly Server[]): Finding {
  const found = `cannot be checked: ${describeFailure(error)}`;
  const lost = servers.find((server) => server.isLost());
  const advice =
    lost === undefined
      ? 'Run doctor again; the log of the server may have details.'
      : `The ${lost.where} stopped answering, and its other checks are missing: find out whether it is frozen, and run doctor again.`;
  return fail(subject, found, advice);
}
