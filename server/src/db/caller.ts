import type { Lifetime } from '../lib/lifetime.ts';
import type { Position } from './position.ts';

/** Who waits for a statement, for the log. */
export interface Asker {
  /** Undefined when it is no request. */
  readonly requestId?: string;
  /** In hex; undefined when the request belongs to no trace. */
  readonly traceId?: string | undefined;
}

/** What a request brings to the databases, and takes away from them. */
export interface Caller extends Asker {
  /** Aborts when the caller no longer needs the answer. */
  readonly lifetime: Lifetime;
  /** What the client has seen: its reads are at least that fresh. Undefined for clients that do not carry a token. */
  readonly token: Position | undefined;
  /** What the client will have seen with the answer; undefined when nothing has to be remembered. */
  seen: Position | undefined;
}
