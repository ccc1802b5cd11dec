import { Type, type Static } from 'typebox';

import { pageLimitDefault, pageLimitMax } from './limits.ts';
import { MessagePath, orNull } from './messages.ts';
import { Id, Timestamp, User } from './users.ts';

/** `x-emoji` adds the selectors that a text form lacks: what looks alike is one reaction. The server then checks format `emoji`. */
export const Emoji = Type.String({
  'x-emoji': true,
  format: 'emoji',
  description: 'Exactly one emoji of Unicode (RGI), percent-encoded',
  examples: ['👍'],
});

export const ReactionPath = Type.Object({ ...MessagePath.properties, emoji: Emoji });

/** The reaction of one person. */
export const GivenReaction = Type.Object(
  {
    emoji: Type.String({ examples: ['👍'] }),
    user_id: Id,
    user: orNull(User, 'Null after the end of the account'),
    created_at: Timestamp,
  },
  { title: 'GivenReaction' },
);
export type GivenReaction = Static<typeof GivenReaction>;

export const ReactionPageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageLimitMax, default: pageLimitDefault })),
    after: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
    emoji: Type.Optional(Type.String({ ...Emoji, description: 'Only this one' })),
  },
  { additionalProperties: false },
);
export type ReactionPageQuery = Static<typeof ReactionPageQuery>;
