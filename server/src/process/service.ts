/**
 * Something that the supervisor starts and stops, such as the workers. `start` resolves when the service does its job; `stop`
 * resolves when nothing of it is left, and may be called after a failed `start`. Both give up when their signal aborts.
 */
export interface Service {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(signal: AbortSignal): Promise<void>;
}

/** A step of the start that leaves nothing to stop. */
export function oneOff(name: string, start: Service['start']): Service {
  return { name, start, stop: async () => undefined };
}
