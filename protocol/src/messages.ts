import { Type, type Static, type TNull, type TSchema, type TUnion } from 'typebox';

import { messageMaxLength, messagesLimitDefault, messagesLimitMax } from './limits.ts';
import { Id, Timestamp } from './users.ts';

/** Of a message or a change, from 1; below 2^53. */
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const PositiveCount = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** A value that may be absent. */
export function orNull<T extends TSchema>(schema: T, description?: string): TUnion<[T, TNull]> {
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
}

export const Reaction = Type.Object(
  {
    emoji: Type.String({ examples: ['👍'] }),
    count: Count,
    user_ids: Type.Array(Id, { description: 'The first ten people' }),
  },
  { title: 'Reaction' },
);
export type Reaction = Static<typeof Reaction>;

const optionalCount = (description: string) => Type.Optional(Type.Integer({ ...PositiveCount, description }));
const optionalTime = (description: string) => Type.Optional(Type.String({ ...Timestamp, description }));

/** A message, in its state after the change `seq`. Without fields that have no value: most messages would have ten of them. */
export const Message = Type.Object(
  {
    conversation_id: Id,
    number: Type.Integer({ description: 'Messages of a conversation are numbered 1, 2, 3 … without gaps' }),
    id: Type.String({ format: 'uuid', description: 'Chosen by the client that sent it' }),
    seq: Type.Integer({ description: 'The change of the conversation that made this state' }),
    sender_id: Id,
    body: Type.Optional(Type.String({ description: 'Markdown as written; absent when deleted' })),
    reply_to: optionalCount('The number of the message that this one answers'),
    thread_of: optionalCount('The number of the first message of its thread'),
    thread: Type.Optional(
      Type.Object(
        { count: PositiveCount, last_number: PositiveCount },
        { description: 'Of the first message of a thread: its replies' },
      ),
    ),
    mentions: Type.Optional(Type.Array(Id, { description: 'The members that it mentions' })),
    mentions_all: Type.Optional(Type.Boolean({ description: 'True when it mentions everybody' })),
    reactions: Type.Optional(Type.Array(Reaction)),
    pinned_at: optionalTime('When it was pinned'),
    pinned_by: Type.Optional(Id),
    created_at: Timestamp,
    edited_at: optionalTime('When it was edited last'),
    deleted_at: optionalTime('When it was deleted'),
  },
  {
    title: 'Message',
    description: 'The whole state of a message: it replaces an earlier one. Fields without a value are absent',
  },
);
export type Message = Static<typeof Message>;

/** Text as written. The server checks format `multiline`: at least one visible character; no control characters but tabs and line breaks. */
export const Body = Type.String({
  minLength: 1,
  maxLength: messageMaxLength,
  format: 'multiline',
  description: 'Markdown as written. The server never interprets or changes it',
  examples: ['Hello **Ada**'],
});

/** The body of a send. */
export const NewMessage = Type.Object(
  {
    body: Body,
    reply_to: Type.Optional(PositiveCount),
    thread_of: Type.Optional(PositiveCount),
  },
  { additionalProperties: false, title: 'NewMessage' },
);
export type NewMessage = Static<typeof NewMessage>;

export const ConversationPath = Type.Object({ conversation_id: Id });

/** An existing message, by its number. */
export const MessagePath = Type.Object({
  conversation_id: Id,
  message: Type.Integer({ ...PositiveCount, description: 'The number of the message' }),
});

export const SendPath = Type.Object({
  conversation_id: Id,
  message: Type.String({
    format: 'uuid',
    description: 'Chosen by the client, for this message alone: a repeated send with it stores nothing twice',
  }),
});

/** The body of an edit. */
export const MessagePatch = Type.Object({ body: Body }, { additionalProperties: false, title: 'MessagePatch' });

/** An earlier body of a message. */
export const Revision = Type.Object(
  {
    revision: Type.Integer({ description: '0 is what was sent' }),
    body: Type.String(),
    written_at: Timestamp,
  },
  { title: 'Revision' },
);
export type Revision = Static<typeof Revision>;

const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: messagesLimitMax, default: messagesLimitDefault }));

const place = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));

/** At most one of `before`, `after` and `around`; without, the newest messages. */
export const MessagePageQuery = Type.Object(
  {
    limit,
    before: place('Messages with smaller numbers'),
    after: place('Messages with larger numbers'),
    around: place('The message with this number, and those before and after it'),
  },
  { additionalProperties: false },
);
export type MessagePageQuery = Static<typeof MessagePageQuery>;

/** Pages of revisions and of pinned messages, the largest first. */
export const BackwardsPageQuery = Type.Object(
  { limit, before: place('Those with smaller numbers') },
  { additionalProperties: false },
);
export type BackwardsPageQuery = Static<typeof BackwardsPageQuery>;

/** At most one of `before` and `after`; without, the newest replies. */
export const ThreadPageQuery = Type.Object(
  { limit, before: place('Replies with smaller numbers'), after: place('Replies with larger numbers') },
  { additionalProperties: false },
);
export type ThreadPageQuery = Static<typeof ThreadPageQuery>;
