import type { FastifyReply } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { Quotas } from '../lib/quotas.ts';
import { addHeaderLines } from './security-headers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default: `reads` for GET and HEAD, `writes` for other methods. */
    rateGroup?: RateGroup;
  }
}

/** `passwords`: calls that check a password of the account. */
export type RateGroup = 'reads' | 'writes' | 'passwords';

/** Calls per minute of one account; 0 for no limit. */
type RateLimitOptions = Readonly<Record<RateGroup, number>>;

const windowSeconds = 60;

/** https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11 */
export const rateLimitHeaders = ['ratelimit-policy', 'ratelimit'] as const;

/** Counts one call of an account, and sets the headers of its answer, if it has any. Throws `too_many_requests`. */
export type RateLimit = (userId: string, reply?: FastifyReply) => void;

/** The limit of each group. */
export type RateLimits = Readonly<Record<RateGroup, RateLimit>>;

/**
 * The rate limits of accounts in one worker. Counted per worker, without a statement or a message: a client with connections to several
 * workers has the quota at each. Reasons: docs/decisions/0056-rate-limits.md.
 */
export function createRateLimits({ reads, writes, passwords }: RateLimitOptions, clock: Clock): RateLimits {
  return {
    reads: limitTo(reads, 'reads', clock),
    writes: limitTo(writes, 'writes', clock),
    passwords: limitTo(passwords, 'passwords', clock),
  };
}

function limitTo(quota: number, group: RateGroup, clock: Clock): RateLimit {
  if (quota === 0) return () => undefined;
  const quotas = new Quotas(quota, windowSeconds * 1_000, clock);
  const begin = `RateLimit-Policy: "${group}";q=${quota};w=${windowSeconds}\r\nRateLimit: "${group}";r=`;
  return (userId, reply) => {
    const { isExceeded, remaining, resetMs } = quotas.take(userId);
    // The difference of two times can be a fraction of a microsecond too large.
    const seconds = Math.ceil(Math.round(resetMs) / 1_000);
    if (reply !== undefined) addHeaderLines(reply, `${begin}${remaining};t=${seconds}\r\n`);
    if (isExceeded) throw new AppError('too_many_requests', { retryAfterSeconds: seconds });
  };
}
