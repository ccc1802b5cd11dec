import type { Lifetime } from '../lib/lifetime.ts';
import type { Position } from './position.ts';

/** Who waits for a statement, for the log. */
export interface Requester {
  /** Undefined outside a request. */
  readonly requestId?: string;
  /** In hex; undefined when the request has no trace. */
  readonly traceId?: string | undefined;
}

/** The context of a request's database calls, and what they return to it. */
export interface Caller extends Requester {
  /** Aborts when the answer is no longer needed. */
  readonly lifetime: Lifetime;
  /** What the client has seen: its reads must be at least that fresh. Undefined for clients without a token. */
  readonly token: Position | undefined;
  /** What the client will have seen with the answer; undefined when there is no new token. */
  seen: Position | undefined;
}
