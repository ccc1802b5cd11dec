import type { ErrorCode } from '@messenger/protocol/errors';

import type { Access } from './access.ts';

/** Of the OpenAPI document. */
export const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: 'The token of a session' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-messenger',
    description: 'The session of a browser; `messenger` without HTTPS on a loopback address',
  },
} as const;

const sessions: readonly Readonly<Record<string, string[]>>[] = [{ token: [] }, { cookie: [] }];

/** What a route needs; an empty alternative means that a session is optional. Undefined where nobody is identified. */
export function securityOf(access: Access | undefined): readonly Readonly<Record<string, string[]>>[] | undefined {
  if (access === 'signedIn' || access === 'administrator') return sessions;
  return access === 'guest' ? [{}, ...sessions] : undefined;
}

/** What the guard of a route refuses. */
export function refusalsOfAccess(access: Access | undefined, method: string): readonly ErrorCode[] {
  if (securityOf(access) === undefined) return [];
  return [
    'too_many_requests',
    ...(method === 'GET' ? [] : (['cross_site_request'] as const)),
    ...(access === 'guest' ? [] : (['unauthenticated'] as const)),
    ...(access === 'administrator' ? (['forbidden'] as const) : []),
  ];
}
