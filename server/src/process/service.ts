/** What a service is doing; `failed` means that it ended by itself and is not coming back. */
export type ServiceState = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

/**
 * One thing that the supervisor starts and stops: the embedded databases, the workers.
 * `start` resolves when the service does its job; `stop` resolves when nothing of it is left, and may be called
 * after a failed `start`. Both give up when their signal aborts.
 */
export interface Service {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(signal: AbortSignal): Promise<void>;
  state(): ServiceState;
}
