import { AuditEvent, AuditPageQuery } from '@messenger/protocol/audit';
import { pageLimitDefault } from '@messenger/protocol/limits';
import { Type } from 'typebox';

import { TokenHeaders } from '../http/consistency.ts';
import type { HttpServer } from '../http/server.ts';
import type { AuditLog } from './audit-log.ts';

const path = '/api/v1/audit';

const Page = {
  ...Type.Array(AuditEvent, { title: 'AuditPage', description: 'Events, newest first' }),
  headers: {
    Link: { type: 'string', description: 'On a full page, the address of the next one: `<…>; rel="next"`' },
  },
};

const listEvents = {
  config: { access: 'administrator' } as const,
  schema: {
    tags: ['accounts'],
    headers: TokenHeaders,
    operationId: 'list_audit_events',
    summary: 'List security events, newest first',
    description: 'For administrators. Events are kept for `AUDIT_DAYS`. Follow the `Link` header for further pages.',
    querystring: AuditPageQuery,
    response: { 200: Page },
  },
};

/** Security events, for administrators. */
export function auditRoutes(app: HttpServer, audit: Pick<AuditLog, keyof AuditLog>): void {
  app.get(path, listEvents, async ({ query, caller }, reply) => {
    const { events, next } = await audit.list(query, caller);
    if (next !== undefined) reply.header('link', `<${path}?${nextQuery(query, next)}>; rel="next"`);
    return events;
  });
}

/** The filters of this page, for the next one. */
function nextQuery({ limit = pageLimitDefault, kind, user_id: userId }: AuditPageQuery, after: string): string {
  const filters = { ...(kind === undefined ? {} : { kind }), ...(userId === undefined ? {} : { user_id: userId }) };
  return new URLSearchParams({ limit: String(limit), ...filters, after }).toString();
}
