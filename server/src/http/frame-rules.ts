import { clientFrames } from '@messenger/protocol/frames';
import type { InvalidField, Problem } from '@messenger/protocol/problem';

import type { RepeatLog } from '../telemetry/repeat-log.ts';
import { createProblems } from './problem.ts';
import type { RateLimits } from './rate-limits.ts';
import { createCheck } from './request-validation.ts';

/** What REST does for requests, for the frames of sockets. */
export interface FrameRules {
  /** The invalid fields of a frame, by its `op`; undefined for an unknown `op`. May change the frame, as for bodies. */
  readonly check: (op: string, frame: object) => readonly InvalidField[] | undefined;
  /** Counts a call. Throws `too_many_requests`. */
  readonly limit: (group: 'reads' | 'writes', userId: string) => void;
  /** What REST answers to this error; logs what is not the client's fault. */
  readonly problemOf: (error: unknown, about: { readonly op: string; readonly requestId: string }) => Problem;
  readonly newRequestId: () => string;
}

export function createFrameRules(limits: RateLimits, failures: RepeatLog, newRequestId: () => string): FrameRules {
  const checks = new Map(Object.entries(clientFrames).map(([op, schema]) => [op, createCheck(schema)]));
  return {
    check: (op, frame) => checks.get(op)?.(frame),
    limit: (group, userId) => limits[group](userId),
    problemOf: createProblems({ failures }),
    newRequestId,
  };
}
