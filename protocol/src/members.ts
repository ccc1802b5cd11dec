import { Type, type Static } from 'typebox';

import { Conversation, IdInput, MemberRole } from './conversations.ts';
import { pageLimitDefault, pageLimitMax } from './limits.ts';
import { Id, Timestamp, User } from './users.ts';

const orNull = <Schema extends typeof Timestamp | typeof User>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description });

/** Somebody in a conversation, or who was in it, in the state after the change `seq`. */
export const Membership = Type.Object(
  {
    user_id: Id,
    role: MemberRole,
    joined_at: Timestamp,
    left_at: orNull(Timestamp, 'Of former members'),
    banned: Type.Boolean({ description: 'Whether a former member cannot come back' }),
    seq: Type.Integer({ minimum: 0, description: 'The change of the conversation that made this state' }),
  },
  { title: 'Membership' },
);
export type Membership = Static<typeof Membership>;

export const MemberWithUser = Type.Object(
  { ...Membership.properties, user: orNull(User, 'Null after the end of the account') },
  { title: 'MemberWithUser', description: 'The member' },
);
export type MemberWithUser = Static<typeof MemberWithUser>;

/** People per call. */
const additionMax = 100;

export const Addition = Type.Object(
  { user_ids: Type.Array(IdInput, { minItems: 1, maxItems: additionMax }) },
  { additionalProperties: false, title: 'Addition' },
);
export type Addition = Static<typeof Addition>;

export const additionOutcomes = [
  'added',
  'already_member',
  'banned',
  'recipient_unavailable',
  'recipient_blocked',
  'conversation_full',
] as const;

export const AdditionResult = Type.Object(
  { user_id: Id, outcome: Type.Enum([...additionOutcomes]) },
  { title: 'AdditionResult' },
);
export type AdditionResult = Static<typeof AdditionResult>;

export const RoleChange = Type.Object({ role: MemberRole }, { additionalProperties: false, title: 'RoleChange' });
export type RoleChange = Static<typeof RoleChange>;

export const MemberPath = Type.Object({ conversation_id: IdInput, user_id: IdInput });

const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: pageLimitMax, default: pageLimitDefault }));

/** Of lists of people, in the order of their ids. */
export const PeoplePageQuery = Type.Object(
  {
    limit: Limit,
    after: Type.Optional(Type.String({ ...IdInput, description: 'The last `user_id` of the previous page' })),
  },
  { additionalProperties: false },
);
export type PeoplePageQuery = Static<typeof PeoplePageQuery>;

const { id, kind, title, about, member_count } = Conversation.properties;

/** What people who are no members see of a conversation that they can join. */
export const ConversationPreview = Type.Object(
  { id, kind, title, about, member_count },
  { title: 'ConversationPreview', description: 'A conversation that the caller may join' },
);
export type ConversationPreview = Static<typeof ConversationPreview>;

export const Channel = Type.Object(
  { ...ConversationPreview.properties, is_member: Type.Boolean({ description: 'Whether the caller is a member' }) },
  { title: 'Channel' },
);
export type Channel = Static<typeof Channel>;

export const ChannelPageQuery = Type.Object(
  {
    limit: Limit,
    query: Type.Optional(
      Type.String({
        'x-normalise': true,
        minLength: 1,
        maxLength: 100,
        format: 'text',
        description: 'The beginning of the title, in any case',
      }),
    ),
    after: Type.Optional(Type.String({ description: 'The cursor of a `next` link' })),
  },
  { additionalProperties: false },
);
export type ChannelPageQuery = Static<typeof ChannelPageQuery>;
