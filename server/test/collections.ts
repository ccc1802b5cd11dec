import type { Collection } from '../src/telemetry/collection.ts';

/** Of a server that has done nothing. */
export const noCollection: Collection = { atMs: 0, metrics: {}, workers: [], slowStatements: [] };
