import { DatabaseError, type Client } from 'pg';

import { sessionSettings, withClient, type SessionOptions } from './session.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { placeOf, type Endpoint, type EndpointPair, type Endpoints } from './endpoint.ts';
import { classifyFailure } from './errors.ts';
import { locatePrimary } from './locate-primary.ts';
import { identityColumns, areOneServer, strangenessOf, type Identity } from './identity.ts';

/** Facts that a PostgreSQL server reports. */
export interface ServerFacts extends Identity {
  /** As in `server_version_num`: 180004 is 18.4. */
  readonly version: number;
  readonly database: string;
  readonly maxConnections: number;
  /** Connections for superusers and reserved roles only. */
  readonly reservedConnections: number;
  readonly readOnly: boolean;
  /** Those of `sessionSettings`, as the session has them. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A server that cannot serve, with the reason: it is too old, or a pooler allows no transactions. */
export interface UnfitServer {
  readonly version: number;
  readonly unfit: 'version' | 'pooling';
}

type AnyFacts = ServerFacts | UnfitServer;

/** The first with `uuidv7()`. */
const oldestVersion = 180_000;

const factsSql = `
  select current_setting('server_version_num')::int as version,
         current_database() as database,
         current_setting('max_connections')::int as "maxConnections",
         current_setting('superuser_reserved_connections')::int
           + current_setting('reserved_connections')::int as "reservedConnections",
         current_setting('transaction_read_only') = 'on' as "readOnly",
         (select json_object_agg(name, current_setting(name)) from unnest($1::text[]) as name) as settings,
         ${identityColumns}`;

/** For servers before 18, which may lack some of the settings above. */
const versionSql = `select current_setting('server_version_num')::int as version`;

/** The facts of a session's server. The session is lost if transactions are refused. */
export async function readFacts(client: Client): Promise<AnyFacts> {
  const { rows: versions } = await client.query<{ version: number }>(versionSql);
  const version = versions[0]?.version ?? 0;
  if (version < oldestVersion) return { version, unfit: 'version' };
  if (!(await allowsTransactions(client))) return { version, unfit: 'pooling' };
  const { rows } = await client.query<ServerFacts>(factsSql, [
    Object.keys(sessionSettings({ synchronousCommit: 'on' })),
  ]);
  const [facts] = rows;
  if (facts === undefined) throw new Error('the server returned no facts');
  return facts;
}

/** PgBouncer with `pool_mode = statement` ends a session that begins a transaction. */
async function allowsTransactions(client: Client): Promise<boolean> {
  try {
    await client.query('begin');
    await client.query('commit');
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.message.includes('statement pooling')) return false;
    throw error;
  }
}

/** A sentence about a server that cannot serve. */
export function explainUnfit(role: string, endpoint: Endpoint, { version, unfit }: UnfitServer): string {
  const subject = `The ${role} server ${placeOf(endpoint)}`;
  if (unfit === 'version')
    return `${subject} is PostgreSQL ${Math.floor(version / 10_000)}; Messenger needs 18 or newer (for uuidv7()).`;
  return (
    `${subject} is behind a pooler in statement mode, which allows no transactions, and Messenger writes in transactions. ` +
    'Set pool_mode = transaction (docs/operations.md#pgbouncer).'
  );
}

/** The facts of the servers; of the read servers only those that answer, and why the others do not. */
export interface InspectedServers {
  /** With the primary as `write`, wherever it was found. */
  readonly endpoints: Endpoints;
  readonly write: ServerFacts;
  readonly reads: readonly InspectedRead[];
  readonly away: readonly { readonly endpoint: Endpoint; readonly error: unknown }[];
}

export interface InspectedRead {
  readonly endpoint: Endpoint;
  readonly facts: ServerFacts;
}

/** A sentence for each reason why these two servers cannot be used together. */
export function findServerProblems(endpoints: EndpointPair, write: ServerFacts, read: ServerFacts): string[] {
  return [
    ...findWriteProblems(endpoints.write, write),
    ...findReadProblems({ endpoint: endpoints.write, facts: write }, { endpoint: endpoints.read, facts: read }),
  ];
}

function findWriteProblems(endpoint: Endpoint, { inRecovery, readOnly, settings }: ServerFacts): string[] {
  const subject = `The write server ${placeOf(endpoint)}`;
  if (inRecovery) return [`${subject} is a standby, which takes no writes; DB_WRITE_HOST must name the primary.`];
  const problems = readOnly ? [`${subject} is read-only (default_transaction_read_only).`] : [];
  return [...problems, ...findSettingProblems(subject, endpoint, settings)];
}

/** Each session sends its settings when it connects; only a pooler can drop them, or leak another client's. */
export function findSettingProblems(subject: string, endpoint: Endpoint, settings: ServerFacts['settings']): string[] {
  const unfit = Object.entries(sessionSettings(endpoint)).filter(([name, value]) => settings[name] !== value);
  if (unfit.length === 0) return [];
  const found = unfit.map(([name, value]) => `${name} = '${settings[name]}' instead of '${value}'`).join(', ');
  return [
    `${subject} gives its sessions ${found}: a pooler drops the settings that Messenger requests. ` +
      `Add to its connect_query: ${unfit.map(([name, value]) => `set ${name} = "${value}"`).join('; ')} ` +
      '(docs/operations.md#pgbouncer).',
  ];
}

function findReadProblems(write: InspectedRead, read: InspectedRead): string[] {
  const problems: string[] = [];
  const subject = `The read server ${placeOf(read.endpoint)}`;
  const strangeness = strangenessOf(read.facts, write.facts);
  if (strangeness !== undefined) problems.push(`${subject} ${strangeness} (${placeOf(write.endpoint)}).`);
  if (write.facts.database !== read.facts.database) {
    problems.push(
      `${subject} is configured with database "${read.facts.database}", the write server with "${write.facts.database}".`,
    );
  }
  problems.push(...findSettingProblems(subject, read.endpoint, read.facts.settings));
  return problems;
}

/** One server under two names would get twice its share of reads and connections. */
export function findTwins(reads: readonly InspectedRead[]): string[] {
  return reads.flatMap(({ endpoint, facts }, index) => {
    const twin = reads.slice(0, index).find((other) => areOneServer(other.facts, facts));
    return twin === undefined
      ? []
      : [
          `The read servers ${placeOf(twin.endpoint)} and ${placeOf(endpoint)} are one: DB_READ_HOST must name it once.`,
        ];
  });
}

/**
 * Facts of the servers that answer: the primary, and at least one read server. An old primary among the read servers
 * counts as unavailable: it may follow the new one later. Rejects with `OperatorError` when they cannot be used
 * together, with `NoPrimaryError`, and as `pg` does when the only write server or all read servers are unreachable, or
 * one refuses us.
 */
export async function inspectServers(configured: Endpoints, session: SessionOptions): Promise<InspectedServers> {
  const endpoints = await locatePrimary(configured, session);
  const { write, reads, otherWrites = [] } = endpoints;
  const read = async (endpoint: Endpoint) => withClient(endpoint, session, readFacts);
  const [facts, answers] = await Promise.all([read(write), Promise.allSettled(reads.map(read))]);
  const found: Answer[] = [];
  const away: { readonly endpoint: Endpoint; readonly error: unknown }[] = [];
  for (const [index, endpoint] of reads.entries()) {
    const answer = answers[index];
    if (answer?.status === 'fulfilled') found.push({ endpoint, facts: answer.value });
    else away.push({ endpoint, error: answer?.reason });
  }
  const hopeless = away.find(({ error }) => found.length === 0 || classifyFailure(error) !== 'unavailable');
  if (hopeless !== undefined) throw hopeless.error;
  const [left, present] = otherWrites.length === 0 ? [[], found] : splitOff(found, facts);
  for (const { endpoint } of left)
    away.push({ endpoint, error: new Error('it is an old primary, or a promoted copy') });
  return { endpoints, ...fitTogether({ endpoint: write, facts }, present), away };
}

interface Answer {
  readonly endpoint: Endpoint;
  readonly facts: AnyFacts;
}

/** Servers of our cluster that neither follow nor are the primary, and the others. */
function splitOff(found: readonly Answer[], write: AnyFacts): readonly [Answer[], Answer[]] {
  const isLeft = ({ facts }: Answer): boolean =>
    isServable(facts) &&
    isServable(write) &&
    facts.systemIdentifier === write.systemIdentifier &&
    strangenessOf(facts, write) !== undefined;
  return [found.filter(isLeft), found.filter((one) => !isLeft(one))];
}

function fitTogether(write: Answer, reads: readonly Answer[]): Omit<InspectedServers, 'away' | 'endpoints'> {
  if (!isServable(write.facts)) throw new OperatorError(explainUnfit('write', write.endpoint, write.facts));
  const fit: InspectedRead[] = [];
  for (const { endpoint, facts } of reads) {
    if (!isServable(facts)) throw new OperatorError(explainUnfit('read', endpoint, facts));
    fit.push({ endpoint, facts });
  }
  const { facts, endpoint } = write;
  const found = fit.flatMap((one) => findServerProblems({ write: endpoint, read: one.endpoint }, facts, one.facts));
  const problems = new Set([...found, ...findTwins(fit)]);
  if (problems.size > 0) throw new OperatorError([...problems].join('\n'));
  return { write: facts, reads: fit };
}

export function isServable(facts: AnyFacts): facts is ServerFacts {
  return 'database' in facts;
}
