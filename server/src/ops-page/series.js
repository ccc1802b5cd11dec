/** The samples received so far. Independent of the page, so that tests can run it in Node. */

/** @import { Live } from '../telemetry/live.ts' */
/** @import { HistoryRow } from '../telemetry/history.ts' */
/** @import { ServerEvent } from '../telemetry/events.ts' */

/**
 * @typedef {object} Series Immutable: each message makes a new one.
 * @property {Live | undefined} newest
 * @property {readonly HistoryRow[]} rows Oldest first; the columns are those of `newest`.
 * @property {readonly ServerEvent[]} events Newest first.
 */

/** @type {Series} */
export const nothingYet = { newest: undefined, rows: [], events: [] };

const keptMs = 900_000;
const mostEvents = 200;

/**
 * Adds a message, which may repeat rows and events.
 * @param {Series} series
 * @param {Live} live
 * @returns {Series}
 */
export function follow({ newest, rows, events }, live) {
  const known = newest?.seen.rows ?? 0;
  const first = live.seen.rows - live.history.rows.length;
  const added = live.history.rows.slice(Math.max(0, known - first));
  const beginMs = added[0] === undefined ? Number.POSITIVE_INFINITY : timeOf(added[0]);
  // After the server's clock was set back, rows of the repeated time are dropped.
  const kept = rows.filter((row) => timeOf(row) < beginMs && timeOf(row) > live.sample.atMs - keptMs);
  return { newest: live, rows: [...kept, ...added], events: mergeEvents(events, live.events) };
}

/** @param {HistoryRow} row Milliseconds since 1970. */
function timeOf([atMs]) {
  return atMs ?? 0;
}

/** @param {readonly ServerEvent[]} known @param {readonly ServerEvent[]} changed @returns {readonly ServerEvent[]} */
function mergeEvents(known, changed) {
  if (changed.length === 0) return known;
  const byId = new Map([...known, ...changed].map((event) => [event.id, event]));
  return [...byId.values()].toSorted((a, b) => b.id - a.id).slice(0, mostEvents);
}
