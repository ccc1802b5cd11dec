import { Type, type Static } from 'typebox';

import { nameMaxLength, pageLimitDefault, pageLimitMax, pageOffsetMax } from './limits.ts';

/**
 * A person's name in any script. `x-normalise` removes invisible characters at both ends and applies NFC. The server then checks format
 * `text`: at least one visible character; no control characters, line breaks, bidirectional overrides or hidden characters.
 */
export const Name = Type.String({
  'x-normalise': true,
  minLength: 1,
  maxLength: nameMaxLength,
  format: 'text',
  examples: ['Ada'],
});

export const Id = Type.String({
  format: 'uuid',
  description: 'A UUID, version 7: ids sort by the time of creation',
  examples: ['019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d'],
});

export const Timestamp = Type.String({
  format: 'date-time',
  description: 'RFC 3339, UTC, with microseconds: text sorts like time',
  examples: ['2026-01-28T12:00:00.123456Z'],
});

/** A user, both as it is stored and as it is sent. */
export const User = Type.Object(
  { id: Id, first_name: Type.String(), last_name: Type.String(), created_at: Timestamp, updated_at: Timestamp },
  { title: 'User', description: 'The user' },
);
export type User = Static<typeof User>;

/** The body of POST and PUT: both names. */
export const UserNames = Type.Object(
  { first_name: Name, last_name: Name },
  { additionalProperties: false, title: 'UserNames' },
);
export type UserNames = Static<typeof UserNames>;

/** The body of PATCH: at least one of the names. */
export const UserNamesPatch = Type.Partial(UserNames, {
  additionalProperties: false,
  minProperties: 1,
  title: 'UserNamesPatch',
});
export type UserNamesPatch = Static<typeof UserNamesPatch>;

export const UserPath = Type.Object({ id: Id });

export const UserPageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageLimitMax, default: pageLimitDefault })),
    offset: Type.Optional(
      Type.Integer({ minimum: 0, maximum: pageOffsetMax, description: 'Rows to skip; the cost grows with the number' }),
    ),
    query: Type.Optional(
      Type.String({
        'x-normalise': true,
        minLength: 1,
        maxLength: 2 * nameMaxLength + 1,
        format: 'text',
        description:
          'Finds people with an account by the beginning of a name, of the full name, or of the username, in any case, in the order of what ' +
          'begins so. A page can be short and have a next one. Needs a session',
      }),
    ),
    after: Type.Optional(
      Type.String({ description: 'The cursor of a `next` link: pages by key, at the same cost at any depth' }),
    ),
  },
  { additionalProperties: false },
);
export type UserPageQuery = Static<typeof UserPageQuery>;
