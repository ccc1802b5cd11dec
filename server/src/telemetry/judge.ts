/** Finds what is wrong in samples. */
import { formatBytes, formatDuration, formatPercent, titleOf } from '../ops-page/format.js';
import type { Condition } from './events.ts';
import { figuresOf, type Figures } from './figures.ts';
import type { LiveSample, LiveServer } from './live-sample.ts';

/** What happened is told for so long, in milliseconds: what lasts one sample is gone before anybody has read it. */
const judgedMs = 10_000;

/** The samples to be judged together, oldest first: the new one, and those before it that are not too old. */
export function recentWith(recent: readonly LiveSample[], sample: LiveSample): readonly LiveSample[] {
  return [...recent.filter(({ atMs }) => atMs >= sample.atMs - judgedMs && atMs <= sample.atMs), sample];
}

/** What is wrong now, or was since the oldest of these samples of `recentWith`. */
export function conditionsOf(recent: readonly LiveSample[]): readonly Condition[] {
  const [oldest, sample] = [recent[0], recent.at(-1)];
  if (oldest === undefined || sample === undefined) return [];
  const ofNow = [
    ...sample.servers.flatMap(conditionsOfServer),
    ...conditionsOfStandbys(sample.servers),
    ...conditionsOfWorkers(sample.workers),
    ...conditionsOfMachine(sample.machine),
  ];
  if (oldest === sample) return ofNow;
  const figures = figuresOf(oldest, sample);
  const ofClients = conditionsOfClients(oldest.clients.shed, sample.clients);
  return [...ofNow, ...ofClients, ...conditionsOfRequests(figures), ...conditionsOfPools(recent, figures.perSecond)];
}

function conditionsOfServer(server: LiveServer): readonly Condition[] {
  const { name, up } = server;
  if (!up) return [away(server), ...conditionsOfDisk(server)];
  const ofRole = name === 'primary' ? conditionsOfRole(server) : conditionsOfReceiver(server);
  return [...ofRole, ...numbersOf(server), ...conditionsOfFault(server), ...conditionsOfDisk(server)];
}

/** The cause is known of an embedded server, perhaps a moment after it is away: then the event is told with it. */
function away({ name, fault }: LiveServer): Condition {
  const [who, level, consequence] =
    name === 'primary'
      ? (['The primary', 'bad', 'nothing can be written'] as const)
      : ([titleOf(name), 'warn', 'others take its reads'] as const);
  const condition = { key: `away ${name}`, level, text: `${who} does not answer: ${consequence}` } as const;
  if (fault === undefined) return { ...condition, kind: 'database' };
  const text = `${who} is down (${wordsOf(fault)}): ${consequence}`;
  return { ...condition, kind: fault === 'crash' ? 'database' : 'storage', level: 'bad', size: 1, text };
}

/** Of a standby that answers and cannot store what it receives. */
function conditionsOfFault({ name, fault }: LiveServer): readonly Condition[] {
  if (fault === undefined) return [];
  const text = `${titleOf(name)} has a fault: ${wordsOf(fault)}`;
  return [{ key: `fault ${name}`, kind: 'storage', level: 'bad', text }];
}

/** Of the label of `messenger_embedded_fault`: `disk_full`. */
function wordsOf(fault: string): string {
  return fault.replaceAll('_', ' ');
}

/** The alert DiskLow draws the same line. */
const leastFree = 0.1;

function conditionsOfDisk({ name, diskFreeBytes, diskSizeBytes = 0 }: LiveServer): readonly Condition[] {
  if (diskFreeBytes === undefined || diskFreeBytes >= leastFree * diskSizeBytes) return [];
  const text = `The disk of the ${name} has ${formatBytes(diskFreeBytes)} of ${formatBytes(diskSizeBytes)} free`;
  return [{ key: `disk ${name}`, kind: 'storage', level: 'warn', size: 1 - diskFreeBytes / diskSizeBytes, text }];
}

function conditionsOfRole({ role }: LiveServer): readonly Condition[] {
  if (role === undefined || role === 'primary') return [];
  const text =
    role === 'standby'
      ? 'The write database is a standby: nothing can be written'
      : 'The primary is read-only: nothing can be written';
  return [{ key: 'read-only primary', kind: 'database', level: 'bad', text }];
}

function conditionsOfReceiver({ name, receiver }: LiveServer): readonly Condition[] {
  if (receiver === undefined || receiver === 'streaming' || receiver === 'hidden') return [];
  const key = `not following ${name}`;
  const title = titleOf(name);
  if (receiver === 'promoted')
    return [
      {
        key,
        kind: 'standby',
        level: 'bad',
        text: `${title} was promoted: it takes writes of its own, and gets no reads`,
      },
    ];
  if (receiver === 'foreign')
    return [{ key, kind: 'standby', level: 'bad', text: `${title} is no standby of the primary, and gets no reads` }];
  return [{ key, kind: 'standby', level: 'warn', text: `${title} receives nothing from the primary (${receiver})` }];
}

/** A server that answers may still have no standby, such as when a name of a standby leads to the primary. */
function conditionsOfStandbys(servers: readonly LiveServer[]): readonly Condition[] {
  const standbys = servers.filter(({ name }) => name !== 'primary');
  const following = standbys.filter(({ up, receiver }) => up && (receiver === 'streaming' || receiver === 'hidden'));
  if (standbys.length === 0 || following.length > 0) return [];
  const text = 'No standby follows the primary: losing the primary would be an outage';
  return [{ key: 'no standby', kind: 'standby', level: 'bad', text }];
}

function numbersOf(server: LiveServer): readonly Condition[] {
  const { name, lagSeconds = 0, lagBytes = 0, lockWaits = 0, oldestTransactionSeconds = 0 } = server;
  const { connections = 0, maxConnections = Number.POSITIVE_INFINITY } = server;
  const title = titleOf(name);
  const found: Condition[] = [];
  const warn = (kind: Condition['kind'], what: string, size: number, text: string): void =>
    void found.push({ key: `${what} ${name}`, kind, level: 'warn', size, text });
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
  const found: Condition[] = [];
  // A silent worker missed one question for its metrics; it may serve all the same.
  if (serving + silent === 0) found.push({ key: 'no worker', kind: 'worker', level: 'bad', text: 'No worker serves' });
  if (missing > 0)
    found.push({
      key: 'missing workers',
      kind: 'worker',
      level: 'warn',
      size: missing,
      text: `${howMany(missing, 'worker is', 'workers are')} starting`,
    });
  if (silent > 0)
    found.push({
      key: 'silent workers',
      kind: 'worker',
      level: 'warn',
      size: silent,
      text: `${howMany(silent, 'worker does', 'workers do')} not answer`,
    });
  return found;
}

function conditionsOfMachine({
  totalMemoryBytes,
  availableMemoryBytes,
  openFiles,
}: LiveSample['machine']): readonly Condition[] {
  const found: Condition[] = [];
  const used = totalMemoryBytes === 0 ? 0 : 1 - availableMemoryBytes / totalMemoryBytes;
  if (used > 0.9) {
    const text = `${formatPercent(used)} of the memory is in use: ${formatBytes(availableMemoryBytes)} are available`;
    found.push({ key: 'memory', kind: 'capacity', level: 'warn', size: used, text });
  }
  for (const { process, open, limit = Number.POSITIVE_INFINITY } of openFiles)
    if (open >= 0.8 * limit) {
      const text = `A ${process} has ${open} of ${limit} open files in use`;
      found.push({ key: `open files ${process}`, kind: 'connections', level: 'warn', size: open, text });
    }
  return found;
}

function conditionsOfClients(shedBefore: number, { open, most, shed }: LiveSample['clients']): readonly Condition[] {
  const closed = shed - shedBefore;
  if (closed > 0) {
    const text = `${howMany(closed, 'client connection was', 'client connections were')} closed for want of room`;
    return [{ key: 'clients shed', kind: 'connections', level: 'warn', size: closed, text }];
  }
  if (most === 0 || open < 0.9 * most) return [];
  const text = `${open} of ${most} client connections are in use`;
  return [{ key: 'clients', kind: 'connections', level: 'warn', size: open, text }];
}

/** The alert MessengerSlow has the same. */
const slowSeconds = 0.5;

function conditionsOfRequests({ refusedPerSecond, errorPart, timed, p50 = 0, p99 = 0 }: Figures): readonly Condition[] {
  const found: Condition[] = [];
  const add = (key: string, level: Condition['level'], size: number, text: string): void =>
    void found.push({ key, kind: 'requests', level, size, text });
  if (refusedPerSecond > 0)
    add(
      'overload',
      'bad',
      refusedPerSecond,
      `Overloaded: ${Math.ceil(refusedPerSecond)} requests a second are refused`,
    );
  else if (errorPart > 0) add('errors', 'bad', errorPart, `${formatPercent(errorPart)} of the requests fail`);
  if (timed >= 10 && p50 > slowSeconds)
    add('slow', 'warn', p50, `Slow: half of the requests take ${formatDuration(p50)} or more`);
  else if (timed >= 100 && p99 > slowSeconds)
    add('slow', 'warn', p99, `Slow: 1 in 100 requests takes ${formatDuration(p99)} or more`);
  return found;
}

/**
 * Under load some calls always wait for a place in a statement, for milliseconds. Too many are what the requests of half a second
 * could not have brought.
 */
function conditionsOfPools(recent: readonly LiveSample[], perSecond: number): readonly Condition[] {
  return (recent.at(-1)?.pools ?? []).flatMap(({ name }) => {
    const counts = recent.map(({ pools }) => pools.find((pool) => pool.name === name)?.waiting ?? 0);
    const waiting = Math.round(counts.reduce((sum, count) => sum + count, 0) / counts.length);
    if (waiting < 10 || waiting <= slowSeconds * perSecond) return [];
    const text = `${waiting} calls wait for connections of the ${name} pool`;
    return [{ key: `waiting ${name}`, kind: 'requests', level: 'warn', size: waiting, text }];
  });
}

function howMany(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
