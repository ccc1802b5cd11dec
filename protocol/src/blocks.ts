import { Type, type Static } from 'typebox';

import { Id, Timestamp, User } from './users.ts';

/** A person whom the caller blocks. */
export const Block = Type.Object(
  {
    user_id: Id,
    created_at: Timestamp,
    user: Type.Union([User, Type.Null()], { description: 'Null after the end of the account' }),
  },
  { title: 'Block', description: 'The block' },
);
export type Block = Static<typeof Block>;
