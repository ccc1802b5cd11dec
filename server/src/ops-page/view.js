/** From what the server tells to what a person wants to know. Knows no page: it runs and is tested anywhere. */
import { formatBytes, formatDuration, formatPercent } from './format.js';

/** @import { LiveSample, LiveServer } from '../telemetry/live-sample.ts' */

/**
 * @typedef {object} Figures What happened between two samples, or how it was at the second.
 * @property {number} atMs
 * @property {number} perSecond Requests of the API.
 * @property {Record<string, number>} perSecondByClass `2xx` and so on.
 * @property {number} refusedPerSecond Refused early, to save the others.
 * @property {number} errorPart Answers that were 5xx, of all; 0 to 1.
 * @property {number} inFlight
 * @property {number} timed Requests of which the percentiles are.
 * @property {number | undefined} p50 Seconds; undefined when nothing ended.
 * @property {number | undefined} p95
 * @property {number | undefined} p99
 * @property {number} waiting Statements and calls that wait for a connection.
 * @property {number | undefined} byStandby Part of the reads that a standby answered; undefined without reads.
 * @property {Record<string, number | undefined>} lagSeconds By standby.
 */

/**
 * @typedef {object} Verdict
 * @property {'ok' | 'warn' | 'bad'} level Of the worst.
 * @property {readonly { readonly level: 'warn' | 'bad', readonly text: string }[]} findings The worst first.
 */

/** The counters may begin anew with the server. @param {number} now @param {number | undefined} before */
function rise(now, before) {
  return before === undefined || now < before ? now : now - before;
}

/**
 * @param {LiveSample} previous
 * @param {LiveSample} current
 * @returns {Figures}
 */
export function figuresOf(previous, current) {
  const seconds = Math.max(0.001, (current.atMs - previous.atMs) / 1_000);
  const [before, now] = [previous.http, current.http];
  const byClass = mapValues(now.ended, (count, status) => rise(count, before.ended[status]));
  const total = sum(Object.values(byClass));
  const counts = now.durations.counts.map((count, n) => rise(count, before.durations.counts[n]));
  const quantile = (/** @type {number} */ part) => quantileOf(now.durations.bounds, counts, part);
  return {
    atMs: current.atMs,
    perSecond: total / seconds,
    perSecondByClass: mapValues(byClass, (count) => count / seconds),
    refusedPerSecond: rise(now.overloaded, before.overloaded) / seconds,
    errorPart: total === 0 ? 0 : (byClass['5xx'] ?? 0) / total,
    inFlight: now.inFlight,
    timed: sum(counts),
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    waiting: sum(current.pools.map((pool) => pool.waiting)),
    byStandby: partByStandby(previous.reads, current.reads),
    lagSeconds: Object.fromEntries(standbysOf(current).map(({ name, lagSeconds }) => [name, lagSeconds])),
  };
}

/**
 * As Prometheus' `histogram_quantile`: evenly spread within a bucket; above the last bound nothing is known but the bound.
 * @param {readonly number[]} bounds
 * @param {readonly number[]} counts One more than bounds.
 * @param {number} part 0 to 1.
 * @returns {number | undefined}
 */
export function quantileOf(bounds, counts, part) {
  const rank = sum(counts) * part;
  if (rank === 0) return undefined;
  let below = 0;
  for (const [n, bound] of bounds.entries()) {
    const here = counts[n] ?? 0;
    if (here > 0 && below + here >= rank) {
      const lower = bounds[n - 1] ?? 0;
      return lower + ((bound - lower) * (rank - below)) / here;
    }
    below += here;
  }
  return bounds.at(-1);
}

/** @param {Readonly<Record<string, number>>} before @param {Readonly<Record<string, number>>} now */
function partByStandby(before, now) {
  const reads = Object.entries(now).map(([who, count]) => ({ who, count: rise(count, before[who]) }));
  const total = sum(reads.map(({ count }) => count));
  if (total === 0) return undefined;
  return sum(reads.filter(({ who }) => who.startsWith('standby')).map(({ count }) => count)) / total;
}

/** @param {LiveSample} sample */
function standbysOf({ servers }) {
  return servers.filter(({ name }) => name !== 'primary');
}

/** How long a restart of a worker is news, in milliseconds. */
const newsMs = 60_000;

/** What happened is told for so long, in milliseconds: what lasts one sample is gone before anybody has read it. */
const judgedMs = 10_000;

/**
 * The samples to be judged together, oldest first: the new one, and those of the same server that are not too old.
 * @param {readonly LiveSample[]} recent
 * @param {LiveSample} sample
 * @returns {readonly LiveSample[]}
 */
export function recentWith(recent, sample) {
  const { atMs, startedAtMs } = sample;
  return [...recent.filter((one) => one.atMs >= atMs - judgedMs && one.startedAtMs === startedAtMs), sample];
}

/**
 * What is wrong, in words: how it is now, and what happened since the oldest of these samples.
 * @param {readonly LiveSample[]} recent Of `recentWith`.
 * @param {number | undefined} restartedAtMs When a worker was last seen to be replaced.
 * @returns {Verdict}
 */
export function judge(recent, restartedAtMs) {
  const [oldest, sample] = [recent[0], recent.at(-1)];
  if (oldest === undefined || sample === undefined) return { level: 'ok', findings: [] };
  /** @type {{ level: 'warn' | 'bad', text: string }[]} */
  const findings = [];
  const bad = (/** @type {string} */ text) => findings.push({ level: 'bad', text });
  const warn = (/** @type {string} */ text) => findings.push({ level: 'warn', text });
  for (const server of sample.servers) judgeServer(server, bad, warn);
  const { serving, silent, missing } = sample.workers;
  if (serving === 0) bad('No worker serves');
  if (missing > 0) warn(`${howMany(missing, 'worker is', 'workers are')} starting`);
  if (silent > 0) warn(`${howMany(silent, 'worker does', 'workers do')} not answer`);
  if (restartedAtMs !== undefined && sample.atMs - restartedAtMs < newsMs)
    warn(`A worker was restarted ${formatDuration((sample.atMs - restartedAtMs) / 1_000)} ago`);
  if (oldest !== sample) {
    const figures = figuresOf(oldest, sample);
    judgeRequests(figures, bad, warn);
    judgePools(recent, figures.perSecond, warn);
  }
  findings.sort((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
  return { level: findings[0]?.level ?? 'ok', findings };
}

/**
 * @param {LiveServer} server
 * @param {(text: string) => void} bad
 * @param {(text: string) => void} warn
 */
function judgeServer(server, bad, warn) {
  const { name, up, receiver, lagSeconds = 0, lagBytes = 0, lockWaits = 0, oldestTransactionSeconds = 0 } = server;
  const title = titleOf(name);
  if (!up) {
    if (name === 'primary') bad('The primary does not answer: nothing can be written');
    else warn(`${title} does not answer: others take its reads`);
    return;
  }
  if (receiver !== undefined) judgeReceiver(title, receiver, bad, warn);
  if (lagSeconds >= 1) warn(`${title} is ${formatDuration(lagSeconds)} (${formatBytes(lagBytes)}) behind`);
  if (lockWaits >= 5) warn(`${lockWaits} sessions of the ${name} wait for locks`);
  if (oldestTransactionSeconds >= 60)
    warn(`${title} has a transaction open for ${formatDuration(oldestTransactionSeconds)}`);
  if ((server.connections ?? 0) >= 0.9 * (server.maxConnections ?? Number.POSITIVE_INFINITY))
    warn(`${title} has ${server.connections} of ${server.maxConnections} connections in use`);
}

/**
 * @param {string} title
 * @param {string} receiver
 * @param {(text: string) => void} bad
 * @param {(text: string) => void} warn
 */
function judgeReceiver(title, receiver, bad, warn) {
  if (receiver === 'streaming' || receiver === 'hidden') return;
  if (receiver === 'promoted') bad(`${title} was promoted: it takes writes of its own, and gets no reads`);
  else if (receiver === 'foreign') bad(`${title} is no standby of the primary, and gets no reads`);
  else warn(`${title} receives nothing from the primary (${receiver})`);
}

/**
 * @param {Figures} figures
 * @param {(text: string) => void} bad
 * @param {(text: string) => void} warn
 */
function judgeRequests({ refusedPerSecond, errorPart, timed, p50 = 0, p99 = 0 }, bad, warn) {
  if (refusedPerSecond > 0) bad(`Overloaded: ${Math.ceil(refusedPerSecond)} requests a second are refused`);
  else if (errorPart > 0) bad(`${formatPercent(errorPart)} of the requests fail`);
  if (timed >= 10 && p50 > slowSeconds) warn(`Slow: half of the requests take ${formatDuration(p50)} or more`);
  else if (timed >= 100 && p99 > slowSeconds) warn(`Slow: 1 in 100 requests takes ${formatDuration(p99)} or more`);
}

/** The alert MessengerSlow has the same. */
const slowSeconds = 0.5;

/**
 * Under load some calls always wait for a place in a statement, for milliseconds. Too many are what the requests of half a second
 * could not have brought.
 * @param {readonly LiveSample[]} recent
 * @param {number} perSecond Requests.
 * @param {(text: string) => void} warn
 */
function judgePools(recent, perSecond, warn) {
  for (const { name } of recent.at(-1)?.pools ?? []) {
    const counts = recent.map(({ pools }) => pools.find((pool) => pool.name === name)?.waiting ?? 0);
    const waiting = Math.round(sum(counts) / counts.length);
    if (waiting >= 10 && waiting > slowSeconds * perSecond)
      warn(`${waiting} calls wait for connections of the ${name} pool`);
  }
}

/** @param {number} count @param {string} one @param {string} many */
function howMany(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

/** As the beginning of a sentence. @param {string} name */
export function titleOf(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/**
 * @param {Readonly<Record<string, number>>} record
 * @param {(value: number, key: string) => number} change
 * @returns {Record<string, number>}
 */
function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
