import type { Collection, Measurement } from '../telemetry/collection.ts';
import type { Live, Seen } from '../telemetry/live.ts';

/** How much a worker has to do, since its last reply to a ping. */
export interface WorkerLoad {
  /** CPU time of its main thread per time, from 0 to 1. */
  readonly cpu: number;
  /** Open client connections. */
  readonly connections: number;
  /** The most that it can have. */
  readonly maxConnections: number;
}

/** Messages from a worker to its supervisor. A listening socket travels with its own message. */
export type WorkerMessage =
  | { readonly type: 'hello' }
  /** Without a load until it serves. */
  | { readonly type: 'pong'; readonly load: WorkerLoad | undefined }
  /** Without a measurement if measuring failed. */
  | { readonly type: 'measured'; readonly measurement: Measurement | undefined }
  /** A request; the reply carries the same number. */
  | { readonly type: 'ask'; readonly question: number; readonly about: WatchQuestion }
  | { readonly type: 'wrong token'; readonly address: string }
  /** The other workers must drop what they cached under `key`; `all forgot` carries the same number. */
  | { readonly type: 'forget'; readonly key: string; readonly request: number }
  | { readonly type: 'forgotten'; readonly request: number }
  /** It has created this listening socket, which the supervisor keeps for the other workers. */
  | { readonly type: 'listener' }
  /** It accepts connections, and has sent every socket that it has created for that. */
  | { readonly type: 'accepting' }
  /** It drains, and accepts no more connections. */
  | { readonly type: 'listeners closed' }
  | { readonly type: 'ready'; readonly report: WorkerReport }
  | { readonly type: 'failed'; readonly reason: string };

/** See `Watch`: the reply to `collect` is a `Collection`, to `live` a `Live`. */
export type WatchQuestion = { readonly maxAgeMs: number } | { readonly seen: Seen };

/** Sent by a worker when it is ready to accept connections. */
export interface WorkerReport {
  /** `GET, POST /api/v1/users` */
  readonly routes: readonly string[];
}

/** Messages from the supervisor to a worker. `Settings` are plain data. */
export type SupervisorMessage<Settings> =
  | { readonly type: 'serve'; readonly settings: Settings }
  | { readonly type: 'ping' }
  /** The primary, which was unavailable at the start, is prepared. Ignored before `serve`. */
  | { readonly type: 'admit writes' }
  | { readonly type: 'measure' }
  | { readonly type: 'answer'; readonly question: number; readonly answer: Collection | Live }
  /** Answered by `forgotten` with the same number. */
  | { readonly type: 'forget'; readonly key: string; readonly request: number }
  | { readonly type: 'all forgot'; readonly request: number }
  /** One of the sockets of the next `accept`. */
  | { readonly type: 'listener' }
  /** Accept connections on the sockets that were sent before; none: create them. */
  | { readonly type: 'accept'; readonly sockets: number }
  /** Accept no more connections, and close each open one with its next answer. */
  | { readonly type: 'rest' }
  /** Close this many connections, each with its next answer, so that their clients reach another worker. */
  | { readonly type: 'shed'; readonly connections: number }
  /** No worker accepts connections any more, so answers may close them. */
  | { readonly type: 'all listeners closed' }
  /** `isReplaced`: its successor already accepts from the same sockets. */
  | { readonly type: 'drain'; readonly isReplaced: boolean };
