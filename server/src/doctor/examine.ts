import { openAskedServer } from '../db/asked-server.ts';
import { openOf, type ConnectionBudget } from '../db/connection-budget.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { describeFailure } from '../db/errors.ts';
import { areOneServer } from '../db/identity.ts';
import type { SessionOptions } from '../db/session.ts';
import type { About, Configured, Role, Server } from './about.ts';
import { explainNoAnswer } from './answers.ts';
import { lookAtPair, lookAtServer } from './checks.ts';
import { fail, ok, warn, type Finding, type ServerPlace } from './finding.ts';
import { judgePrimary, judgeStandby, judgeUnfit, type Known } from './fit.ts';
import { findUnusedIndexes } from './indexes.ts';
import { checkPools } from './pools.ts';

/** The servers of the configuration. Without standbys, reads go to the primary. */
export interface Examined {
  readonly primary: Endpoint;
  readonly standbys: readonly Endpoint[];
}

/** A server that answered, has a supported release, and is not another one under a second name. */
interface Present extends Known {
  readonly where: ServerPlace;
  readonly server: Server;
}

interface Visit {
  readonly findings: readonly Finding[];
  /** Undefined when no further query is possible. */
  readonly present: Present | undefined;
}

/**
 * Checks all servers. Never rejects: an unreachable server or a failed query is a failure in the report. Bounded in time even
 * with frozen servers: each costs at most `connectTimeoutMs` and one `answerTimeoutMs`.
 */
export async function examine(servers: Examined, session: SessionOptions, configured: Configured): Promise<Finding[]> {
  const { standbys } = servers;
  const nameOf = (index: number): ServerPlace => (standbys.length === 1 ? 'standby' : `standby ${index + 1}`);
  const visits = await Promise.all([
    visit('primary', 'primary', servers.primary, session),
    ...standbys.map(async (endpoint, index) => visit(nameOf(index), 'standby', endpoint, session)),
  ]);
  try {
    return await examineVisited(visits, configured);
  } finally {
    await Promise.all(visits.map(async ({ present }) => present?.server.close()));
  }
}

async function visit(where: ServerPlace, role: Role, endpoint: Endpoint, session: SessionOptions): Promise<Visit> {
  try {
    const asked = await openAskedServer(endpoint, session);
    return await identify({ ...asked, where, role, endpoint }).catch(async (error: unknown) => {
      await asked.close();
      throw error;
    });
  } catch (error) {
    return { findings: [explainNoAnswer(where, endpoint, error)], present: undefined };
  }
}

async function identify(server: Server): Promise<Visit> {
  const { where, endpoint } = server;
  const facts = await server.facts();
  const answers = ok({ check: 'reachable', where }, `${endpoint.host}:${endpoint.port}`);
  if ('database' in facts) return { findings: [answers], present: { where, endpoint, facts, server } };
  await server.close();
  return { findings: [answers, judgeUnfit(where, endpoint, facts)], present: undefined };
}

/** Single servers in parallel, then pairs in sequence, because a session runs one query at a time. */
async function examineVisited(visits: readonly Visit[], configured: Configured): Promise<Finding[]> {
  const present = visits.flatMap((one) => one.present ?? []);
  const different = present.filter((one) => firstLike(one, present) === one);
  const primary = present.find(({ where }) => where === 'primary');
  const reads = visits.length === 1 ? present : present.filter((one) => one !== primary);
  const plans = primary === undefined ? [] : configured.planPools(primary.facts, reads);
  const about: About = { ...configured, plannedConnections: countAll(plans, configured.workers) };
  const alone = await Promise.all(different.map(async ({ server, facts }) => lookAtServer(server, facts, about)));
  const findings = [
    ...visits.flatMap((one) => one.findings),
    ...judgeFit(present, primary),
    ...(visits.length === 1 ? [noStandby] : []),
    ...alone.flat(),
    ...(primary === undefined ? [] : await lookAtPairs(primary, different, about)),
    ...(primary === undefined ? [] : checkPools(plans, about.workers)),
    ...(present.length < visits.length ? [] : await lookForUnused(different, about)),
  ];
  const places = [...visits.flatMap((one) => one.findings.slice(0, 1).map(({ where }) => where)), 'all'];
  return findings.toSorted((one, other) => places.indexOf(one.where) - places.indexOf(other.where));
}

/** The first of these that is the same server. */
function firstLike(one: Present, present: readonly Present[]): Present | undefined {
  return present.find((other) => areOneServer(one.facts, other.facts));
}

const noStandby = ok({ check: 'replication', where: 'primary' }, 'no standby: reads go to the primary (DB_READ_HOST)');

/** Without a primary, standbys are not compared. */
function judgeFit(present: readonly Present[], primary: Present | undefined): Finding[] {
  if (primary === undefined) return [];
  return present.map((one) => {
    const first = firstLike(one, present);
    if (first !== undefined && first !== one) return againNamed(one.where, first.where);
    return one === primary ? judgePrimary(one) : judgeStandby(primary, one);
  });
}

function againNamed(where: ServerPlace, first: ServerPlace): Finding {
  return warn(
    { check: 'compatible', where },
    `the ${first} under another name`,
    first === 'primary'
      ? 'Reads go to the primary. Name a standby in DB_READ_HOST, or unset it.'
      : 'Name each standby once in DB_READ_HOST.',
  );
}

/** Only standbys that may belong to this primary, and only if it is a primary. */
async function lookAtPairs(primary: Present, different: readonly Present[], about: About): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const one of different) {
    if (one === primary || primary.facts.inRecovery || judgeStandby(primary, one).status !== 'ok') continue;
    findings.push(...(await lookAtPair(primary.server, one.server, about)));
  }
  return findings;
}

/** The first plan is the primary's, which may include reads. The pools of all standbys are equal. */
function countAll(plans: readonly ConnectionBudget[], workers: number): About['plannedConnections'] {
  const [ofPrimary] = plans;
  if (ofPrimary === undefined || plans.some(({ problems }) => problems.length > 0))
    return { primary: undefined, standby: undefined };
  const open = openOf(plans);
  const ofRoles = Object.keys(ofPrimary.maxOpen).map((role) => open[role === 'read' ? 'read' : 'write']);
  return { primary: ofRoles.reduce((sum, count) => sum + count, 0) * workers, standby: open.read * workers };
}

async function lookForUnused(different: readonly Present[], about: About): Promise<Finding[]> {
  const servers = different.map(({ server }) => server);
  if (servers.some((server) => server.isLost())) return [];
  try {
    return [await findUnusedIndexes(servers, about)];
  } catch (error) {
    const subject = { check: 'unused indexes', where: 'all' } as const;
    return [fail(subject, `cannot be checked: ${describeFailure(error)}`, 'Run doctor again.')];
  }
}
