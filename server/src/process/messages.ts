import type { Collection, Measurement } from '../telemetry/collection.ts';
import type { Live, Seen } from '../telemetry/live.ts';

/**
 * Messages from a worker to its supervisor. Listening sockets travel from a worker to its successor through the
 * supervisor, each in its own message, followed by `listeners given`.
 */
export type WorkerMessage =
  | { readonly type: 'hello' }
  | { readonly type: 'pong' }
  /** Without a measurement if measuring failed. */
  | { readonly type: 'measured'; readonly measurement: Measurement | undefined }
  /** A request; the reply carries the same number. */
  | { readonly type: 'ask'; readonly question: number; readonly about: WatchQuestion }
  | { readonly type: 'wrong token'; readonly address: string }
  /** The other workers must drop what they cached under `key`; `all forgot` carries the same number. */
  | { readonly type: 'forget'; readonly key: string; readonly request: number }
  | { readonly type: 'forgotten'; readonly request: number }
  | { readonly type: 'take listeners' }
  | { readonly type: 'listener' }
  | { readonly type: 'listeners given' }
  /** It drains, and accepts no more connections. */
  | { readonly type: 'listeners closed' }
  | { readonly type: 'ready'; readonly report: WorkerReport }
  | { readonly type: 'failed'; readonly reason: string };

/** See `Watch`: the reply to `collect` is a `Collection`, to `live` a `Live`. */
export type WatchQuestion = { readonly maxAgeMs: number } | { readonly seen: Seen };

/** Sent by a worker when it serves. */
export interface WorkerReport {
  /** `GET, POST /api/v1/users` */
  readonly routes: readonly string[];
}

/** Messages from the supervisor to a worker. `Settings` are plain data. */
export type SupervisorMessage<Settings> =
  /** `inherits`: there is a predecessor whose listeners it can take over. */
  | { readonly type: 'serve'; readonly settings: Settings; readonly inherits: boolean }
  | { readonly type: 'ping' }
  /** The primary, which was unavailable at the start, is prepared. Ignored before `serve`. */
  | { readonly type: 'admit writes' }
  | { readonly type: 'measure' }
  | { readonly type: 'answer'; readonly question: number; readonly answer: Collection | Live }
  /** Answered by `forgotten` with the same number. */
  | { readonly type: 'forget'; readonly key: string; readonly request: number }
  | { readonly type: 'all forgot'; readonly request: number }
  | { readonly type: 'give listeners' }
  | { readonly type: 'listener' }
  | { readonly type: 'listeners given' }
  /** No worker accepts connections any more, so answers may close them. */
  | { readonly type: 'all listeners closed' }
  /** `isReplaced`: its successor already serves on the same listeners. */
  | { readonly type: 'drain'; readonly isReplaced: boolean };
