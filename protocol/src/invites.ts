import { Type, type Static } from 'typebox';

import { IdInput, MemberRole } from './conversations.ts';
import { ConversationPreview } from './members.ts';
import { Id, Timestamp } from './users.ts';

const orNull = <Schema extends typeof Timestamp | ReturnType<typeof Type.Integer>>(
  schema: Schema,
  description: string,
) => Type.Union([schema, Type.Null()], { description });

/** An invite: whoever has the code may join. */
export const Invite = Type.Object(
  {
    code: Type.String({ description: 'A secret: whoever has it may join', examples: ['3q2-7wAAAAAAAAAAAAAAAA'] }),
    conversation_id: Id,
    role: MemberRole,
    created_by: Id,
    created_at: Timestamp,
    uses: Type.Integer({ minimum: 0 }),
    max_uses: orNull(Type.Integer({ minimum: 1 }), 'Null for any number'),
    expires_at: orNull(Timestamp, 'Null for never'),
    revoked_at: orNull(Timestamp, 'Null while it is not revoked'),
  },
  { title: 'Invite', description: 'The invite' },
);
export type Invite = Static<typeof Invite>;

const yearSeconds = 366 * 86_400;

export const InviteCreation = Type.Object(
  {
    role: Type.Optional(
      Type.Enum(['admin', 'member', 'reader'], { description: 'At most the own role. Default: that of newcomers' }),
    ),
    max_uses: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    expires_in_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: yearSeconds })),
  },
  { additionalProperties: false, title: 'InviteCreation' },
);
export type InviteCreation = Static<typeof InviteCreation>;

export const InvitePreview = Type.Object(
  {
    conversation: ConversationPreview,
    role: MemberRole,
    is_member: Type.Boolean({ description: 'Whether the caller is a member' }),
  },
  { title: 'InvitePreview', description: 'What the invite leads to' },
);
export type InvitePreview = Static<typeof InvitePreview>;

const Code = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
export const InvitePath = Type.Object({ code: Code });
export const InviteOfPath = Type.Object({ conversation_id: IdInput, code: Code });
