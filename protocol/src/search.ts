import { Type, type Static } from 'typebox';

import { IdInput } from './conversations.ts';
import { searchLimitDefault, searchLimitMax, searchMaxLength } from './limits.ts';
import { Message } from './messages.ts';

const Offset = Type.Integer({ minimum: 0 });

/** Offsets are those of JavaScript strings: UTF-16 units. */
export const Highlight = Type.Object(
  { start: Offset, end: Offset },
  { title: 'Highlight', description: 'A matching part of the body, in UTF-16 units; `end` is behind it' },
);
export type Highlight = Static<typeof Highlight>;

export const SearchResult = Type.Object(
  { message: Message, highlights: Type.Array(Highlight) },
  { title: 'SearchResult' },
);
export type SearchResult = Static<typeof SearchResult>;

const time = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', description, examples: ['2026-01-28T12:00:00Z'] }));

export const SearchQuery = Type.Object(
  {
    q: Type.String({
      'x-normalise': true,
      minLength: 1,
      maxLength: searchMaxLength,
      format: 'text',
      description:
        'Words, or beginnings of words: a message has all of them, in any order. Case, accents and punctuation do not count',
      examples: ['meeting notes'],
    }),
    conversation: Type.Optional({ ...IdInput, description: 'Only of this conversation' }),
    from: Type.Optional({ ...IdInput, description: 'Only messages that this user sent' }),
    before: time('Only messages sent before this time'),
    after: time('Only messages sent at this time or later'),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: searchLimitMax, default: searchLimitDefault })),
    cursor: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
  },
  { additionalProperties: false },
);
export type SearchQuery = Static<typeof SearchQuery>;
