import { Type, type Static } from 'typebox';

import { pageLimitDefault, pageLimitMax } from './limits.ts';

/** What happened. Kinds are stable; new ones may come. */
export const auditKinds = [
  'account_created',
  'account_deleted',
  'account_disabled',
  'account_enabled',
  'password_changed',
  'role_changed',
  'sessions_ended',
  'sign_in_failed',
  'signed_in',
  'username_changed',
] as const;
export type AuditKind = (typeof auditKinds)[number];

const Id = Type.String({ format: 'uuid' });
const Kind = Type.Enum([...auditKinds]);

/** A security event. */
export const AuditEvent = Type.Object(
  {
    id: Id,
    at: Type.String({ format: 'date-time' }),
    kind: Kind,
    user_id: Type.Union([Id, Type.Null()], {
      description: 'The account that the event is about; null for a name without an account',
    }),
    actor_id: Type.Union([Id, Type.Null()], {
      description: 'The account that caused it; null before a sign-in, and for the operator on the command line',
    }),
    address: Type.Union([Type.String(), Type.Null()], {
      description: 'The address of the client; null on the command line',
    }),
    details: Type.Record(Type.String(), Type.Unknown(), { description: 'Of some kinds, such as the new role' }),
  },
  { title: 'AuditEvent', description: 'A security event' },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditPageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageLimitMax, default: pageLimitDefault })),
    after: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
    user_id: Type.Optional(Type.String({ format: 'uuid', description: 'Events about this account' })),
    kind: Type.Optional(Kind),
  },
  { additionalProperties: false },
);
export type AuditPageQuery = Static<typeof AuditPageQuery>;
