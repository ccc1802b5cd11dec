import { Type, type Static } from 'typebox';

import { Count, Message, PositiveCount } from './messages.ts';
import { messagesLimitDefault, messagesLimitMax } from './limits.ts';
import { User } from './users.ts';

export const ReadMark = Type.Object(
  {
    number: Type.Integer({
      ...Count,
      description:
        'All messages up to this one are read. A lower number than before changes nothing; one beyond the last message counts as the last',
    }),
  },
  { additionalProperties: false, title: 'ReadMark' },
);
export type ReadMark = Static<typeof ReadMark>;

export const UnreadMark = Type.Object(
  { number: Type.Integer({ ...PositiveCount, description: 'This message and all after it are unread' }) },
  { additionalProperties: false, title: 'UnreadMark' },
);
export type UnreadMark = Static<typeof UnreadMark>;

export const ReadPosition = Type.Object(
  {
    read_number: Type.Integer({ description: 'All messages up to this number are read' }),
    unread: Type.Integer({ description: 'The number of messages after it' }),
  },
  { title: 'ReadPosition', description: 'What the caller has read' },
);
export type ReadPosition = Static<typeof ReadPosition>;

export const Readers = Type.Array(User, {
  title: 'Readers',
  description: 'Members who have read the message: without its sender, and without those who keep it private',
});

const unread = {
  conversations: Type.Integer({ description: 'Conversations with unread messages' }),
  messages: Type.Integer({ description: 'Unread messages' }),
  mentions: Type.Integer({ description: 'Unread messages that mention the caller; at most 100 of each conversation' }),
};

export const Unread = Type.Object(
  {
    ...unread,
    muted: Type.Object(unread, { description: 'The same of muted conversations, which are not in the other sums' }),
  },
  { title: 'Unread', description: 'The sums over all conversations of the caller' },
);
export type Unread = Static<typeof Unread>;

/** A message that mentions the caller. */
export const MentionPage = Type.Array(Message, {
  title: 'MentionPage',
  description: 'Messages that mention the caller or everybody, newest first',
});

export const MentionPageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: messagesLimitMax, default: messagesLimitDefault })),
    after: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
  },
  { additionalProperties: false },
);
export type MentionPageQuery = Static<typeof MentionPageQuery>;
