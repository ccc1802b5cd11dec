import type { LiveSample, LiveServer } from '../src/telemetry/live-sample.ts';

const machine = {
  totalMemoryBytes: 1_000,
  availableMemoryBytes: 500,
  busySeconds: 0,
  idleSeconds: 0,
  ownCpuSeconds: 0,
  memoryBytes: 0,
  openFiles: [],
};

export const primary: LiveServer = {
  name: 'primary',
  up: true,
  role: 'primary',
  connections: 8,
  maxConnections: 100,
  lockWaits: 0,
};
export const standby: LiveServer = {
  name: 'standby',
  up: true,
  role: 'standby',
  receiver: 'streaming',
  lagBytes: 0,
  lagSeconds: 0,
};

/** Of a healthy, idle server. */
export function sample(changes: Partial<LiveSample> = {}, http: Partial<LiveSample['http']> = {}): LiveSample {
  const durations = { bounds: [0.01, 0.1, 1], counts: [0, 0, 0, 0] };
  return {
    atMs: 1_000_000,
    version: '1.2.3',
    startedAtMs: 0,
    http: { ended: {}, overloaded: 0, inFlight: 0, durations, ...http },
    reads: {},
    pools: [],
    servers: [primary, standby],
    workers: { serving: 2, silent: 0, missing: 0, restarts: 0, each: [] },
    clients: { open: 10, most: 1_000, shed: 0 },
    feed: undefined,
    machine,
    slowStatements: [],
    ...changes,
  };
}
