import { Type, type Static, type TSchema } from 'typebox';

import { aboutMaxLength, groupMembersMax, pageLimitMax, titleMaxLength } from './limits.ts';
import { conversationKinds, memberRoles } from './rights.ts';
import { Id, Timestamp, User } from './users.ts';

const nullable = <Schema extends TSchema>(schema: Schema, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });

/** An id in a request, in any case. */
export const IdInput = Type.String({ ...Id, 'x-fold': true });

const Title = Type.String({
  'x-normalise': true,
  minLength: 1,
  maxLength: titleMaxLength,
  format: 'text',
  examples: ['Analytical Engine'],
});

const About = Type.String({
  'x-normalise': true,
  maxLength: aboutMaxLength,
  format: 'multiline',
  description: 'May have several lines; empty for none',
});

const IsPublic = Type.Boolean({ description: 'Of channels: everybody with an account finds and joins it' });

const secondsMax = 2_147_483_647;
const EditWindow = nullable(
  Type.Integer({ minimum: 0, maximum: secondsMax }),
  'How long a message may be edited; null for ever',
);

export const ConversationKind = Type.Enum([...conversationKinds]);
export const MemberRole = Type.Enum([...memberRoles]);

const Count = Type.Integer({ minimum: 0 });

const LastMessage = Type.Object(
  {
    number: Count,
    sender_id: Id,
    preview: nullable(Type.String(), 'The beginning of its text; null when it was deleted'),
    created_at: Timestamp,
  },
  { title: 'LastMessage' },
);

/** What the caller has in a conversation: the state that no other member sees. */
const OwnState = Type.Object(
  {
    role: MemberRole,
    joined_at: Timestamp,
    read_number: Type.Integer({ minimum: 0, description: 'All messages up to this number are read' }),
    unread: Type.Integer({ minimum: 0, description: '`last_number - read_number`' }),
    unread_mentions: Type.Integer({ minimum: 0, maximum: 100, description: 'Not counted beyond 100' }),
    muted_until: nullable(Timestamp),
    pinned: Type.Boolean(),
    archived: Type.Boolean(),
  },
  { title: 'OwnState' },
);

export const Conversation = Type.Object(
  {
    id: Id,
    kind: ConversationKind,
    title: Type.String({ description: 'Empty for direct conversations' }),
    about: Type.String(),
    is_public: IsPublic,
    created_by: nullable(Id),
    created_at: Timestamp,
    edit_window_seconds: EditWindow,
    member_count: Count,
    seq: Type.Integer({ minimum: 0, description: 'The number of changes: of messages, members and the conversation' }),
    last_number: Type.Integer({ minimum: 0, description: 'The number of messages' }),
    active_at: Type.String({ ...Timestamp, description: 'When the last message was sent; lists are in this order' }),
    last_message: nullable(LastMessage),
    other: nullable(User, 'The other person of a direct conversation; null after the end of the account'),
    me: OwnState,
  },
  { title: 'Conversation', description: 'A conversation as the caller sees it' },
);
export type Conversation = Static<typeof Conversation>;

const body = <Properties extends Record<string, TSchema>>(title: string, properties: Properties) =>
  Type.Object(properties, { additionalProperties: false, title });

export const ConversationCreation = body('ConversationCreation', {
  id: Type.Optional(
    Type.String({ ...IdInput, description: 'Chosen by the client: a repeated request finds the conversation by it' }),
  ),
  kind: Type.Enum(['group', 'channel']),
  title: Title,
  about: Type.Optional(About),
  is_public: Type.Optional(IsPublic),
  members: Type.Optional(
    Type.Array(IdInput, { maxItems: groupMembersMax - 1, description: 'The other members, by the ids of their users' }),
  ),
});
export type ConversationCreation = Static<typeof ConversationCreation>;

export const ConversationPatch = Type.Partial(
  Type.Object({ title: Title, about: About, is_public: IsPublic, edit_window_seconds: EditWindow }),
  { additionalProperties: false, minProperties: 1, title: 'ConversationPatch' },
);
export type ConversationPatch = Static<typeof ConversationPatch>;

export const ConversationSettings = Type.Partial(
  Type.Object({
    muted_until: nullable(Timestamp, 'No notifications until then; null ends it'),
    pinned: Type.Boolean(),
    archived: Type.Boolean(),
  }),
  { additionalProperties: false, minProperties: 1, title: 'ConversationSettings' },
);
export type ConversationSettings = Static<typeof ConversationSettings>;

export const ConversationPath = Type.Object({ conversation_id: IdInput });
export const PersonPath = Type.Object({ user_id: IdInput });

/** Conversations per page: default and maximum. */
export const conversationsLimitDefault = 30;
const conversationsLimitMax = Math.min(200, pageLimitMax);

export const ConversationPageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: conversationsLimitMax, default: conversationsLimitDefault }),
    ),
    after: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
    archived: Type.Optional(Type.Enum(['true', 'false'], { description: 'Only archived ones, or only others' })),
  },
  { additionalProperties: false },
);
export type ConversationPageQuery = Static<typeof ConversationPageQuery>;
