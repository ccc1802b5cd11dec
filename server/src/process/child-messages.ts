import type { Snapshot } from '../telemetry/metrics.ts';

/** The argument of the program that runs the feed. */
export const feedArgument = 'feed-process';

/** Messages of a process that the supervisor keeps running beside the workers. */
export type ChildMessage =
  | { readonly type: 'hello' }
  | { readonly type: 'ready' }
  | { readonly type: 'pong' }
  | { readonly type: 'measured'; readonly snapshot: Snapshot }
  | { readonly type: 'failed'; readonly reason: string };

/** Messages to it. `Settings` are plain data. */
export type ParentMessage<Settings> =
  | { readonly type: 'begin'; readonly settings: Settings }
  | { readonly type: 'ping' }
  | { readonly type: 'measure' }
  | { readonly type: 'stop' };
