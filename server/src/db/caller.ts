import type { Lifetime } from '../lib/lifetime.ts';
import { covers, onlyOnPrimary, type Position } from './position.ts';

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

/**
 * Tells the caller what a call of its own has read or written. The calls of one request end in any order, on any server: the latest position
 * counts, and the primary alone when one of them is unknown.
 */
export function see(caller: Pick<Caller, 'seen'>, position: Position): void {
  const { seen } = caller;
  if (seen === onlyOnPrimary || (seen !== undefined && covers(seen, position))) return;
  if (seen === undefined || position === onlyOnPrimary || position.timeline >= seen.timeline) caller.seen = position;
}
