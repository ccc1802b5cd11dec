import type { Collection, Measurement } from '../telemetry/collection.ts';
import type { Live, Seen } from '../telemetry/live.ts';

/**
 * What a worker says to its supervisor. Listening sockets go from a worker to its successor through the supervisor: each with a
 * message of its own, and `listeners given` after the last one.
 */
export type WorkerMessage =
  | { readonly type: 'hello' }
  | { readonly type: 'pong' }
  /** Without a measurement when measuring failed. */
  | { readonly type: 'measured'; readonly measurement: Measurement | undefined }
  /** A question, to which the answer has the same number. */
  | { readonly type: 'ask'; readonly question: number; readonly about: WatchQuestion }
  | { readonly type: 'wrong token'; readonly address: string }
  | { readonly type: 'take listeners' }
  | { readonly type: 'listener' }
  | { readonly type: 'listeners given' }
  /** It drains, and takes no more connections. */
  | { readonly type: 'listeners closed' }
  | { readonly type: 'ready'; readonly report: WorkerReport }
  | { readonly type: 'failed'; readonly reason: string };

/** See `Watch`: `collect` is answered with a `Collection`, `live` with a `Live`. */
export type WatchQuestion = { readonly maxAgeMs: number } | { readonly seen: Seen };

/** What a worker tells when it serves. */
export interface WorkerReport {
  /** `GET, POST /api/v1/users` */
  readonly routes: readonly string[];
}

/** What the supervisor says to a worker. `Settings` are plain data. */
export type SupervisorMessage<Settings> =
  /** `inherits`: there is a predecessor whose listeners it may take. */
  | { readonly type: 'serve'; readonly settings: Settings; readonly inherits: boolean }
  | { readonly type: 'ping' }
  /** The primary, which was away at the start, is prepared. Ignored before `serve`. */
  | { readonly type: 'admit writes' }
  | { readonly type: 'measure' }
  | { readonly type: 'answer'; readonly question: number; readonly answer: Collection | Live }
  | { readonly type: 'give listeners' }
  | { readonly type: 'listener' }
  | { readonly type: 'listeners given' }
  /** No worker takes connections any more: theirs may end. */
  | { readonly type: 'all listeners closed' }
  /** `isReplaced`: its successor serves already, on the same listeners. */
  | { readonly type: 'drain'; readonly isReplaced: boolean };
