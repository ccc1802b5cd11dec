import type { FastifyCorsOptions } from '@fastify/cors';

import { tokenHeader } from './consistency.ts';
import { repeatHeader } from './idempotency-key.ts';

const exposedHeaders = ['location', 'link', 'etag', repeatHeader, 'request-id', 'retry-after', tokenHeader];

/** For @fastify/cors, which answers preflights and gives all answers of Fastify their headers. */
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
 * What @fastify/cors adds to an answer that is no preflight, for those that it does not see. Names and values by turns; `origin` is
 * that of the request. A test compares both.
 */
export function corsHeaders(origins: readonly string[], origin: string | undefined): readonly string[] {
  if (origins.length === 0) return [];
  const exposed = ['Access-Control-Expose-Headers', exposedHeaders.join(', ')];
  if (origins.includes('*')) return ['Access-Control-Allow-Origin', '*', ...exposed];
  const isAllowed = origin !== undefined && origins.includes(origin);
  return ['Vary', 'Origin', ...(isAllowed ? ['Access-Control-Allow-Origin', origin] : []), ...exposed];
}
