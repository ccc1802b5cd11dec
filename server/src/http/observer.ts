import type { ErrorCode } from '@messenger/protocol/errors';

export interface EndedRequest {
  readonly method: string;
  /** The route's pattern (`/api/v1/users/:id`), never the URL; undefined without a route. */
  readonly route: string | undefined;
  readonly requestId: string | undefined;
  /** In hex; undefined without a trace. */
  readonly traceId: string | undefined;
  /** The peer's address; undefined when it is no longer known. */
  readonly client: string | undefined;
  /** 499 when the client disconnected before the end of the response. */
  readonly status: number;
  /** When its headers had been read, by the server's clock. */
  readonly beganMs: number;
  /** Until the last byte of the response was passed to the system. */
  readonly durationMs: number;
}

/**
 * Observes the HTTP engine. Called for every request, including those refused before Fastify. An observer is fast, never throws, and keeps
 * no arguments.
 */
export interface HttpObserver {
  requestBegan(): void;
  requestEnded(request: EndedRequest): void;
  /** A problem was sent. Includes answers to invalid requests, for which `requestEnded` is not called. */
  requestRefused(code: ErrorCode): void;
}

/** Combines several observers; undefined without any, which costs nothing. */
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
