import { Type, type Static } from 'typebox';

import { errorCodes } from './errors.ts';

/** One field of a request that was refused, as a path like `first_name` or `limit`. */
export const InvalidField = Type.Object(
  {
    in: Type.Enum(['body', 'query', 'path', 'headers']),
    field: Type.String({ description: 'The name of the field; empty for the whole part' }),
    message: Type.String(),
  },
  { title: 'InvalidField' },
);
export type InvalidField = Static<typeof InvalidField>;

/** An error as RFC 9457 describes it, sent as `application/problem+json`. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'URI of the problem type' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable: programs should switch on it', examples: Object.keys(errorCodes) }),
    detail: Type.Optional(Type.String()),
    reason: Type.Optional(
      Type.String({
        description: 'Of `not_ready`: why',
        examples: ['draining', 'primary_unavailable', 'primary_read_only', 'no_standby_confirms'],
      }),
    ),
    request_id: Type.String({ description: 'Also in the Request-Id header and in the log of the server' }),
    errors: Type.Optional(Type.Array(InvalidField, { description: 'All invalid fields' })),
  },
  { title: 'Problem', description: 'A refusal' },
);
export type Problem = Static<typeof Problem>;
