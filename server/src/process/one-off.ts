import type { Service, ServiceState } from './service.ts';

/** A step of the start that leaves nothing behind to stop. */
export function oneOff(name: string, run: (signal: AbortSignal) => Promise<void>): Service {
  let state: ServiceState = 'stopped';
  return {
    name,
    start: async (signal) => {
      state = 'starting';
      await run(signal);
      state = 'running';
    },
    stop: async () => {
      state = 'stopped';
    },
    state: () => state,
  };
}
