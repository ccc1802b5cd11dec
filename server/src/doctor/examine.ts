import { withAskedServer, type AskedServer } from '../db/asked-server.ts';
import type { Endpoint, EndpointPair } from '../db/endpoint.ts';
import { describeFailure } from '../db/errors.ts';
import type { SessionOptions } from '../db/session.ts';
import type { About, PairCheck, ServerCheck } from './about.ts';
import { checkAccess } from './access.ts';
import { checkCache } from './cache.ts';
import { checkClocks } from './clock.ts';
import { checkConnections } from './connections.ts';
import { checkDurability } from './durability.ts';
import { fail, ok, type Finding, type Place } from './finding.ts';
import { checkIndexes, findUnusedIndexes } from './indexes.ts';
import { checkConflicts, checkReplication, checkSlots } from './replication.ts';
import { checkSettings } from './settings.ts';
import { checkStatements } from './statements.ts';
import { checkVacuum } from './vacuum.ts';

/** By the name that a check has when it fails as a whole. */
type Named<Check> = Readonly<Record<string, Check>>;

const ofBoth: Named<ServerCheck> = {
  access: checkAccess,
  connections: checkConnections,
  statements: checkStatements,
  cache: checkCache,
  indexes: checkIndexes,
  settings: checkSettings,
};

const ofPrimary: Named<ServerCheck> = {
  ...ofBoth,
  durability: checkDurability,
  vacuum: checkVacuum,
  'replication slots': checkSlots,
};

const ofStandby: Named<ServerCheck> = { ...ofBoth, 'cancelled reads': checkConflicts };

const ofPair: Named<PairCheck> = {
  replication: checkReplication,
  clocks: checkClocks,
  'unused indexes': async (primary, standby, { unusedAfterHours }) => [
    await findUnusedIndexes([primary, standby], unusedAfterHours),
  ],
};

/**
 * Looks at both servers, one question after the other. Never rejects: what cannot be reached or asked is a failure in
 * the report. `read` the same as `write` means that there is no standby.
 */
export async function examine(
  { write, read }: EndpointPair,
  session: SessionOptions,
  about: About,
): Promise<Finding[]> {
  const alone = async (primary: AskedServer): Promise<Finding[]> => [
    ok({ check: 'replication', where: 'primary' }, 'no standby: reads go to the primary (DB_READ_HOST)'),
    await findUnusedIndexes([primary], about.unusedAfterHours),
  ];
  const hasStandby = read.host !== write.host || read.port !== write.port;
  const checks = hasStandby ? ofPrimary : { ...ofPrimary, alone };
  const primary = await onServer('primary', write, session, async (server) =>
    runAll(checks, 'primary', async (check) => check(server, about)),
  );
  if (!hasStandby) return primary;
  const standby = await onServer('standby', read, session, async (server) =>
    runAll(ofStandby, 'standby', async (check) => check(server, about)),
  );
  const areBothThere = primary[0]?.status === 'ok' && standby[0]?.status === 'ok';
  const pair = areBothThere ? await onPair({ write, read }, session, about) : [];
  return [...primary, ...standby, ...pair];
}

/** `answers` is the first of the findings; when it has failed, it is the only one. */
async function onServer(
  role: AskedServer['role'],
  endpoint: Endpoint,
  session: SessionOptions,
  use: (server: AskedServer) => Promise<Finding[]>,
): Promise<Finding[]> {
  const subject = { check: 'answers', where: role };
  const place = `${endpoint.host}:${endpoint.port}`;
  try {
    return await withAskedServer(role, endpoint, session, async (server) => [
      ok(subject, place),
      ...(await use(server)),
    ]);
  } catch (error) {
    const advice = 'Start it, or correct DB_WRITE_* or DB_READ_*; `messenger config` prints them.';
    return [fail(subject, `${place}: ${describeFailure(error)}`, advice)];
  }
}

/** The servers answered a moment ago: one that has gone since is told as a check that cannot be made. */
async function onPair({ write, read }: EndpointPair, session: SessionOptions, about: About): Promise<Finding[]> {
  return await runAll(ofPair, 'both', async (check) =>
    withAskedServer('primary', write, session, async (primary) =>
      withAskedServer('standby', read, session, async (standby) => check(primary, standby, about)),
    ),
  );
}

/** A check that cannot be made is a failure; the others go on. */
async function runAll<Check>(
  checks: Named<Check>,
  where: Place,
  run: (check: Check) => Promise<Finding[]>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const found = await run(check).catch((error: unknown) => [
      fail(
        { check: name, where },
        `cannot be looked at: ${describeFailure(error)}`,
        'Run doctor again; see the log of the server.',
      ),
    ]);
    findings.push(...found);
  }
  return findings;
}
