import type { ErrorCode } from '@messenger/protocol/errors';

export interface EndedRequest {
  readonly method: string;
  /** The pattern of the route (`/api/v1/users/:id`), never the address; undefined when it met none. */
  readonly route: string | undefined;
  readonly requestId: string | undefined;
  /** In hex; undefined when the request belongs to no trace. */
  readonly traceId: string | undefined;
  /** Address of the other end of the connection; undefined when that is not known any more. */
  readonly client: string | undefined;
  /** 499 when the client went away before its answer was whole. */
  readonly status: number;
  /** By the server's clock: when its headers had been read. */
  readonly beganMs: number;
  /** Until the last byte of the answer was handed to the system. */
  readonly durationMs: number;
}

/**
 * Is told what the HTTP engine does. Called for every request, also for those that are refused before Fastify sees them:
 * an observer is quick, never throws and keeps nothing of what it is given.
 */
export interface HttpObserver {
  requestBegan(): void;
  requestEnded(request: EndedRequest): void;
  /** Answered with a problem; also bytes that never became a request, for which there is no `requestEnded`. */
  requestRefused(code: ErrorCode): void;
}

/** Several as one; undefined when there is nobody to tell, which costs nothing. */
export function observeHttpBy(observers: readonly Partial<HttpObserver>[]): HttpObserver | undefined {
  if (observers.length === 0) return undefined;
  return {
    requestBegan: () => {
      for (const one of observers) one.requestBegan?.();
    },
    requestEnded: (request) => {
      for (const one of observers) one.requestEnded?.(request);
    },
    requestRefused: (code) => {
      for (const one of observers) one.requestRefused?.(code);
    },
  };
}
