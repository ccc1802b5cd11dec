import type { FastifyCorsOptions } from '@fastify/cors';

import { tokenHeader } from './consistency.ts';
import { repeatHeader } from './idempotency-key.ts';
import { rateLimitHeaders } from './rate-limits.ts';

const exposedHeaders = [
  'location',
  'link',
  'etag',
  repeatHeader,
  'request-id',
  'retry-after',
  ...rateLimitHeaders,
  tokenHeader,
];

/** Options of @fastify/cors, which answers preflights and adds the headers to Fastify's responses. */
export function corsOptions(origins: readonly string[]): FastifyCorsOptions {
  return {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    maxAge: 600,
    // `collectMethods` answers OPTIONS, preflight or not, with `Allow`.
    strictPreflight: false,
    preflightContinue: true,
  };
}

/**
 * The headers that @fastify/cors adds to ordinary responses, for responses that bypass it, as alternating names and values. `origin` is the
 * request's. A test compares both.
 */
export function corsHeaders(origins: readonly string[], origin: string | undefined): readonly string[] {
  if (origins.length === 0) return [];
  const exposed = ['Access-Control-Expose-Headers', exposedHeaders.join(', ')];
  if (origins.includes('*')) return ['Access-Control-Allow-Origin', '*', ...exposed];
  const isAllowed = origin !== undefined && origins.includes(origin);
  return ['Vary', 'Origin', ...(isAllowed ? ['Access-Control-Allow-Origin', origin] : []), ...exposed];
}
