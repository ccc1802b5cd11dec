import { Type, type Static } from 'typebox';

import { Conversation } from './conversations.ts';
import { messagesLimitMax } from './limits.ts';
import { Membership } from './members.ts';
import { Count, Message, orNull } from './messages.ts';
import { Id } from './users.ts';

/** What all members see alike, and what changes rarely. */
const ConversationInfo = Type.Pick(
  Conversation,
  ['id', 'kind', 'title', 'about', 'is_public', 'created_by', 'created_at', 'edit_window_seconds'],
  { title: 'ConversationInfo' },
);

export const Changes = Type.Object(
  {
    conversation_id: Id,
    from: Type.Integer({ description: 'The `after` of the request' }),
    to: Type.Integer({
      description: 'The `after` of the next request: every change up to it is in this page or an earlier one',
    }),
    complete: Type.Boolean({ description: 'Whether `to` is the newest change' }),
    last_number: Type.Integer({ description: 'The number of messages now' }),
    member_count: Type.Integer({ description: 'The number of members now' }),
    conversation: orNull(ConversationInfo, 'Null when it has not changed'),
    members: Type.Array(Membership, { description: 'Those that have changed, the oldest change first' }),
    messages: Type.Array(Message, { description: 'Those that have changed, the oldest change first' }),
  },
  {
    title: 'Changes',
    description: 'The states of all that has changed after a position: not each step, but what came of it',
  },
);
export type Changes = Static<typeof Changes>;

export const ChangesQuery = Type.Object(
  {
    after: Type.Integer({ ...Count, description: 'The `seq` that the client has; 0 for everything' }),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: messagesLimitMax,
        default: messagesLimitMax,
        description: 'The number of states; changes with one `seq` are not separated',
      }),
    ),
  },
  { additionalProperties: false },
);
export type ChangesQuery = Static<typeof ChangesQuery>;
