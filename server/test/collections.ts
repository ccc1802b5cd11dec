import type { Collection } from '../src/telemetry/collection.ts';
import { historyColumns } from '../src/telemetry/history.ts';
import type { Live, Watch } from '../src/telemetry/live.ts';
import { sampleOf } from '../src/telemetry/live-sample.ts';

/** Of an idle server. */
export const noCollection: Collection = { atMs: 0, metrics: {}, workers: [], slowStatements: [] };

/** Of the same server at this moment, with one more row each. */
export function liveAt(atMs: number, changes: Partial<Live> = {}): Live {
  return {
    seen: { rows: atMs, revision: 0 },
    sample: sampleOf({ ...noCollection, atMs }),
    figures: undefined,
    verdict: { level: 'ok', findings: [] },
    history: { columns: historyColumns, rows: [[atMs]] },
    events: [],
    ...changes,
  };
}

export const noWatch: Watch = {
  collect: async () => noCollection,
  live: async () => liveAt(0),
  wrongToken: () => undefined,
};
