/** Derives conditions from samples. */
import { formatBytes, formatDuration, formatPercent, titleOf } from '../ops-page/format.js';
import type { Condition } from './events.ts';
import { figuresOf, type Figures } from './figures.ts';
import type { LiveSample, LiveServer } from './live-sample.ts';

/** The window of samples, in ms: with the newest sample alone, a short problem would disappear before it can be read. */
const judgedMs = 10_000;

/** The samples of the last ten seconds, oldest first, including the new one. */
export function recentWith(recent: readonly LiveSample[], sample: LiveSample): readonly LiveSample[] {
  return [...recent.filter(({ atMs }) => atMs >= sample.atMs - judgedMs && atMs <= sample.atMs), sample];
}

/** The conditions of the newest sample, and those of all samples of `recentWith` together. */
export function conditionsOf(recent: readonly LiveSample[]): readonly Condition[] {
  const [oldest, sample] = [recent[0], recent.at(-1)];
  if (oldest === undefined || sample === undefined) return [];
  const ofNow = [
    ...sample.servers.flatMap(conditionsOfServer),
    ...conditionsOfStandbys(sample.servers),
    ...conditionsOfWorkers(sample.workers),
    ...conditionsOfFeed(sample.feed),
    ...conditionsOfMachine(sample.machine),
  ];
  if (oldest === sample) return ofNow;
  const figures = figuresOf(oldest, sample);
  const ofClients = conditionsOfClients(oldest.clients.shed, sample.clients);
  return [...ofNow, ...ofClients, ...conditionsOfRequests(figures), ...conditionsOfPools(recent, figures.perSecond)];
}

/** A feed that follows is within a few milliseconds of the primary. */
const maxFeedLagBytes = 64 * 1_048_576;

function conditionsOfFeed(feed: LiveSample['feed']): readonly Condition[] {
  if (feed === undefined) return [];
  const { isLive, lagBytes } = feed;
  const notLive = 'The feed does not follow the log of the primary: realtime events are delayed';
  if (!isLive) return [condition('database', 'warn', 'feed', notLive)];
  if (lagBytes < maxFeedLagBytes) return [];
  const text = `The feed is ${formatBytes(lagBytes)} behind the primary: realtime events are late`;
  return [condition('database', 'warn', 'feed lag', text, lagBytes)];
}

function conditionsOfServer(server: LiveServer): readonly Condition[] {
  const { name, up } = server;
  if (!up) return [away(server), ...conditionsOfDisk(server)];
  const ofRole = name === 'primary' ? conditionsOfRole(server) : conditionsOfReceiver(server);
  return [...ofRole, ...numbersOf(server), ...conditionsOfFault(server), ...conditionsOfDisk(server)];
}

/** Only an embedded server has a known cause, possibly later: then the event changes its text. */
function away({ name, fault }: LiveServer): Condition {
  const isPrimary = name === 'primary';
  const who = isPrimary ? 'The primary' : titleOf(name);
  const consequence = isPrimary ? 'nothing can be written' : 'others take its reads';
  const key = `away ${name}`;
  if (fault === undefined)
    return condition('database', isPrimary ? 'bad' : 'warn', key, `${who} does not answer: ${consequence}`);
  const kind = fault === 'crash' ? 'database' : 'storage';
  return condition(kind, 'bad', key, `${who} is down (${wordsOf(fault)}): ${consequence}`, 1);
}

/** A standby that answers but cannot write the WAL it receives. */
function conditionsOfFault({ name, fault }: LiveServer): readonly Condition[] {
  if (fault === undefined) return [];
  return [condition('storage', 'bad', `fault ${name}`, `${titleOf(name)} has a fault: ${wordsOf(fault)}`)];
}

/** A value of the label of `messenger_embedded_fault`: `disk_full`. */
function wordsOf(fault: string): string {
  return fault.replaceAll('_', ' ');
}

function condition(
  kind: Condition['kind'],
  level: Condition['level'],
  key: string,
  text: string,
  size?: number,
): Condition {
  return { key, kind, level, text, size };
}

/** The alert DiskLow has the same limit. */
const leastFree = 0.1;

function conditionsOfDisk({ name, diskFreeBytes, diskSizeBytes = 0 }: LiveServer): readonly Condition[] {
  if (diskFreeBytes === undefined || diskFreeBytes >= leastFree * diskSizeBytes) return [];
  const text = `The disk of the ${name} has ${formatBytes(diskFreeBytes)} of ${formatBytes(diskSizeBytes)} free`;
  return [condition('storage', 'warn', `disk ${name}`, text, 1 - diskFreeBytes / diskSizeBytes)];
}

function conditionsOfRole({ role }: LiveServer): readonly Condition[] {
  if (role === undefined || role === 'primary') return [];
  const who = role === 'standby' ? 'The write database is a standby' : 'The primary is read-only';
  return [condition('database', 'bad', 'read-only primary', `${who}: nothing can be written`)];
}

function conditionsOfReceiver({ name, receiver }: LiveServer): readonly Condition[] {
  if (receiver === undefined || receiver === 'streaming' || receiver === 'hidden') return [];
  const isOfPrimary = receiver !== 'promoted' && receiver !== 'foreign';
  const title = titleOf(name);
  const text = isOfPrimary
    ? `${title} receives nothing from the primary (${receiver})`
    : receiver === 'promoted'
      ? `${title} was promoted: it accepts writes, and gets no reads`
      : `${title} is no standby of the primary, and gets no reads`;
  return [condition('standby', isOfPrimary ? 'warn' : 'bad', `not following ${name}`, text)];
}

/** All servers may answer without a standby among them, such as when a standby's name resolves to the primary. */
function conditionsOfStandbys(servers: readonly LiveServer[]): readonly Condition[] {
  const standbys = servers.filter(({ name }) => name !== 'primary');
  const following = standbys.filter(({ up, receiver }) => up && (receiver === 'streaming' || receiver === 'hidden'));
  if (standbys.length === 0 || following.length > 0) return [];
  const text = 'No standby follows the primary: losing the primary would be an outage';
  return [condition('standby', 'bad', 'no standby', text)];
}

function numbersOf(server: LiveServer): readonly Condition[] {
  const { name, lagSeconds = 0, lagBytes = 0, lockWaits = 0, oldestTransactionSeconds = 0 } = server;
  const { connections = 0, maxConnections = Number.POSITIVE_INFINITY } = server;
  const title = titleOf(name);
  const found: Condition[] = [];
  const warn = (kind: Condition['kind'], what: string, size: number, text: string): void =>
    void found.push(condition(kind, 'warn', `${what} ${name}`, text, size));
  if (lagSeconds >= 1)
    warn('standby', 'lag', lagSeconds, `${title} is ${formatDuration(lagSeconds)} (${formatBytes(lagBytes)}) behind`);
  if (lockWaits >= 5) warn('database', 'locks', lockWaits, `${lockWaits} sessions of the ${name} wait for locks`);
  if (oldestTransactionSeconds >= 60) {
    const age = formatDuration(oldestTransactionSeconds);
    warn('database', 'transaction', oldestTransactionSeconds, `${title} has a transaction open for ${age}`);
  }
  if (connections >= 0.8 * maxConnections)
    warn('connections', 'sessions', connections, `${title} has ${connections} of ${maxConnections} connections in use`);
  return found;
}

function conditionsOfWorkers({ serving, silent, missing }: LiveSample['workers']): readonly Condition[] {
  const starting = `${howMany(missing, 'worker is', 'workers are')} starting`;
  const noAnswer = `${howMany(silent, 'worker does', 'workers do')} not answer`;
  return [
    // A silent worker missed one metrics request; it may still serve.
    ...(serving + silent === 0 ? [condition('worker', 'bad', 'no worker', 'No worker serves')] : []),
    ...(missing > 0 ? [condition('worker', 'warn', 'missing workers', starting, missing)] : []),
    ...(silent > 0 ? [condition('worker', 'warn', 'silent workers', noAnswer, silent)] : []),
  ];
}

function conditionsOfMachine(machine: LiveSample['machine']): readonly Condition[] {
  const { totalMemoryBytes, availableMemoryBytes, openFiles } = machine;
  const used = totalMemoryBytes === 0 ? 0 : 1 - availableMemoryBytes / totalMemoryBytes;
  const memory = `${formatPercent(used)} of the memory is in use: ${formatBytes(availableMemoryBytes)} are available`;
  const files = openFiles
    .filter(({ open, limit = Number.POSITIVE_INFINITY }) => open >= 0.8 * limit)
    .map(({ process, open, limit }) => {
      const text = `A ${process} has ${open} of ${limit} open files in use`;
      return condition('connections', 'warn', `open files ${process}`, text, open);
    });
  return [...(used > 0.9 ? [condition('capacity', 'warn', 'memory', memory, used)] : []), ...files];
}

function conditionsOfClients(shedBefore: number, { open, most, shed }: LiveSample['clients']): readonly Condition[] {
  const closed = shed - shedBefore;
  if (closed > 0) {
    const text = `${howMany(closed, 'client connection was', 'client connections were')} closed to make room`;
    return [condition('connections', 'warn', 'clients shed', text, closed)];
  }
  if (most === 0 || open < 0.9 * most) return [];
  return [condition('connections', 'warn', 'clients', `${open} of ${most} client connections are in use`, open)];
}

/** The alert MessengerSlow has the same limit. */
const slowSeconds = 0.5;

function conditionsOfRequests({ refusedPerSecond, errorPart, timed, p50 = 0, p99 = 0 }: Figures): readonly Condition[] {
  const found: Condition[] = [];
  const add = (key: string, level: Condition['level'], size: number, text: string): void =>
    void found.push(condition('requests', level, key, text, size));
  const refused = Math.ceil(refusedPerSecond);
  if (refused > 0) add('overload', 'bad', refused, `Overloaded: ${refused} requests a second are refused`);
  else if (errorPart > 0) add('errors', 'bad', errorPart, `${formatPercent(errorPart)} of the requests fail`);
  if (timed >= 10 && p50 > slowSeconds)
    add('slow', 'warn', p50, `Slow: half of the requests take ${formatDuration(p50)} or more`);
  else if (timed >= 100 && p99 > slowSeconds)
    add('slow', 'warn', p99, `Slow: 1 in 100 requests takes ${formatDuration(p99)} or more`);
  return found;
}

/** Under load some calls always wait for a batch, for milliseconds. The limit is half a second of requests. */
function conditionsOfPools(recent: readonly LiveSample[], perSecond: number): readonly Condition[] {
  return (recent.at(-1)?.pools ?? []).flatMap(({ name }) => {
    const counts = recent.map(({ pools }) => pools.find((pool) => pool.name === name)?.waiting ?? 0);
    const waiting = Math.round(counts.reduce((sum, count) => sum + count, 0) / counts.length);
    if (waiting < 10 || waiting <= slowSeconds * perSecond) return [];
    const text = `${waiting} calls wait for connections of the ${name} pool`;
    return [condition('requests', 'warn', `waiting ${name}`, text, waiting)];
  });
}

function howMany(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
