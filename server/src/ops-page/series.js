/** What the stream has told so far. Knows no page: it runs and is tested anywhere. */
import { figuresOf, recentWith } from './view.js';

/** @import { LiveSample } from '../telemetry/live-sample.ts' */
/** @import { Figures } from './view.js' */

/**
 * @typedef {object} Series Never changed: each sample makes a new one, so one that is kept stays as it was.
 * @property {LiveSample | undefined} newest
 * @property {readonly LiveSample[]} recent To be judged together, the newest last.
 * @property {readonly Figures[]} history Oldest first.
 * @property {number | undefined} restartedAtMs When a worker was last seen to be replaced.
 */

/** @type {Series} */
export const nothingYet = { newest: undefined, recent: [], history: [], restartedAtMs: undefined };

/** Of figures that are kept, in milliseconds: the longest span that can be shown. */
const keptMs = 900_000;
/** Another worker may first tell what it knew so long ago, in milliseconds. What is older was told by a clock that was set back. */
const oldestOfOtherMs = 3_000;

/**
 * With one more sample; the same series when that tells nothing new. It begins anew where the server's clock was set back.
 * @param {Series} series
 * @param {LiveSample} sample
 * @returns {Series}
 */
export function follow(series, sample) {
  const { newest, recent, history, restartedAtMs } = series;
  if (newest === undefined || sample.atMs < newest.atMs - oldestOfOtherMs)
    return { ...nothingYet, newest: sample, recent: [sample] };
  if (sample.atMs <= newest.atMs) return series;
  const isRestart = sample.workers.restarts > newest.workers.restarts;
  return {
    newest: sample,
    recent: recentWith(recent, sample),
    history: [...history.filter(({ atMs }) => atMs > sample.atMs - keptMs), figuresOf(newest, sample)],
    restartedAtMs: isRestart ? sample.atMs : restartedAtMs,
  };
}
